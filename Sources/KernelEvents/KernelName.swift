extension String {
    /// Reads a name that the kernel keeps in a fixed array (`comm`, a device's name): it ends at the first NUL.
    ///
    /// Such a name is arbitrary bytes that a process chose. A byte that is not part of valid UTF-8 becomes the four
    /// characters `\xNN`, so that two different names stay different to the eye.
    public init(kernelName name: some Sequence<UInt8>) {
        let name = Array(name.prefix { $0 != 0 })
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
