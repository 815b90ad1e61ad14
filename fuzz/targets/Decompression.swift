import PcapReader

/// Decompresses the input in small steps, up to a megabyte of output, and scans the result.
func decompress(_ data: UnsafePointer<UInt8>?, _ size: Int, as kind: FileKind) {
    guard let decompressor = try? makeDecompressor(kind) else { fatalError("\(kind) did not start") }
    let (choice, bytes) = input(data, size)
    var output: [UInt8] = []
    var window = [UInt8](repeating: 0, count: Int(choice) * 16 + 1)
    var at = 0
    var idle = 0
    bytes.withUnsafeBytes { input in
        while output.count < 1 << 20, idle < 3 {
            let end = min(at + Int(choice) + 1, input.count)
            let step = window.withUnsafeMutableBytes {
                try? decompressor.decompress(UnsafeRawBufferPointer(rebasing: input[at..<end]), into: $0)
            }
            guard let (used, made) = step else { return }
            require(used <= end - at && made <= window.count, "more than there was")
            at += used
            output += window[..<made]
            idle = used == 0 && made == 0 ? idle + 1 : 0
        }
    }
    check(output, window: 4096)
}
