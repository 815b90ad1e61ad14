import Glibc

/// File names are bytes, and need not be UTF-8 (path_resolution(7)); strings are. A byte that is part of no UTF-8 stands in a
/// string as a scalar at the end of the last private-use plane, U+10FF80 to U+10FFFF, so that no name is lost and no two
/// names become one. Where these scalars stand in a name themselves, each of their bytes is treated in the same way.
extension String {
    /// U+10FF00: what is added to a byte from 0x80 to 0xff.
    private static let escape: UInt32 = 0x10_ff00

    /// The name that a path, an argument or a directory entry has.
    package init(pathBytes bytes: some Collection<UInt8>) {
        self.init()
        var parser = Unicode.UTF8.ForwardParser()
        var input = bytes.makeIterator()
        var at = bytes.startIndex
        func escaped(_ count: Int) -> String.UnicodeScalarView {
            var scalars = String.UnicodeScalarView()
            for _ in 0..<count {
                // A byte below 0x80 is UTF-8 by itself.
                scalars.append(Unicode.Scalar(Self.escape + UInt32(bytes[at])) ?? "\u{fffd}")
                at = bytes.index(after: at)
            }
            return scalars
        }
        while true {
            switch parser.parseScalar(from: &input) {
            case .valid(let encoded):
                let scalar = Unicode.UTF8.decode(encoded)
                if scalar.value >= Self.escape + 0x80 {
                    unicodeScalars.append(contentsOf: escaped(encoded.count))
                } else {
                    unicodeScalars.append(scalar)
                    at = bytes.index(at, offsetBy: encoded.count)
                }
            case .error(let length): unicodeScalars.append(contentsOf: escaped(length))
            case .emptyInput: return
            }
        }
    }

    /// The bytes of the name, with the NUL that system calls want.
    package var pathBytes: [CChar] {
        // Almost all names are plain.
        guard unicodeScalars.contains(where: { $0.value >= Self.escape + 0x80 }) else { return Array(utf8CString) }
        var bytes: [CChar] = []
        for scalar in unicodeScalars {
            if scalar.value >= Self.escape + 0x80 {
                bytes.append(CChar(truncatingIfNeeded: scalar.value - Self.escape))
            } else {
                bytes += scalar.utf8.map(CChar.init(bitPattern:))
            }
        }
        return bytes + [0]
    }
}

/// The arguments of this process, the program's name first.
package func commandLineArguments() -> [String] {
    (0..<Int(CommandLine.argc)).compactMap { number in
        CommandLine.unsafeArgv[number].map {
            String(pathBytes: UnsafeRawBufferPointer(start: $0, count: strlen($0)))
        }
    }
}
