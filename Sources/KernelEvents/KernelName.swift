extension String {
    /// Reads a name that the kernel keeps in a fixed array (`comm`, a device's name): it ends at the first NUL.
    ///
    /// Such a name is arbitrary bytes that a process chose. A byte that is not part of valid UTF-8 becomes the four
    /// characters `\xNN`, so that two different names stay different to the eye.
    public init(kernelName name: some Sequence<UInt8>) {
        self.init(bytes: Array(name.prefix { $0 != 0 }))
    }

    /// The same of a fixed array that was imported from C.
    public init<CArray>(kernelArray array: CArray) {
        self = unsafe withUnsafeBytes(of: array) { bytes in
            let end = unsafe bytes.firstIndex(of: 0) ?? bytes.count
            let name = unsafe UnsafeRawBufferPointer(rebasing: bytes[..<end])
            // Almost all names are ASCII, and are not looked at byte by byte.
            guard unsafe name.allSatisfy({ $0 < 0x80 }) else { return unsafe String(bytes: Array(name)) }
            return unsafe String(decoding: name, as: UTF8.self)
        }
    }

    private init(bytes name: [UInt8]) {
        if let text = String(validating: name, as: UTF8.self) {
            self = text
            return
        }
        self = ""
        var decoder = Unicode.UTF8.ForwardParser()
        var rest = name[...].makeIterator()
        var position = 0
        var isOver = false
        while !isOver {
            switch decoder.parseScalar(from: &rest) {
            case .valid(let scalar):
                unicodeScalars.append(Unicode.UTF8.decode(scalar))
                position += scalar.count
            case .error(let length):
                for byte in name[position..<min(position + length, name.count)] {
                    self += byte < 16 ? "\\x0" : "\\x"
                    self += String(byte, radix: 16)
                }
                position += length
            case .emptyInput: isOver = true
            }
        }
    }
}
