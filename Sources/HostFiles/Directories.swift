import Glibc

/// What is in a directory, in no order, without the directory itself and the one above; nil if it cannot be read, and then `errno`
/// says why.
package func namesInDirectory(_ path: String) -> [String]? {
    guard let directory = opendir(path.pathBytes) else { return nil }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) {
                String(pathBytes: UnsafeRawBufferPointer(start: $0, count: strlen($0)))
            }
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names
}

/// The directory that a file is in, as far as its path says; `.` if that is only a name.
package func parentDirectory(of path: String) -> String {
    path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
}
