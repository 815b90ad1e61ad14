import KernelEvents

/// Names for kernel addresses, from the text of /proc/kallsyms.
struct KernelSymbols {
    private var addresses: [UInt64] = []
    /// Where each name begins and ends in `names`.
    private var ranges: [Range<Int>] = []
    private var names: [UInt8]

    /// Beyond this from the nearest symbol an address belongs to something that has no name (a BPF program that was
    /// compiled after the text was read).
    private static let farthest: UInt64 = 1 << 20

    /// - Parameter kallsyms: lines of `address type name [module]`; lines of another form are passed over.
    init(kallsyms: [UInt8]) {
        names = kallsyms
        var symbols: [(address: UInt64, range: Range<Int>)] = []
        symbols.reserveCapacity(kallsyms.count / 40)
        var position = 0
        while position < kallsyms.count {
            let end = kallsyms[position...].firstIndex(of: UInt8(ascii: "\n")) ?? kallsyms.count
            if let symbol = Self.symbol(kallsyms, position..<end) { symbols.append(symbol) }
            position = end + 1
        }
        symbols.sort { $0.address < $1.address }
        addresses = symbols.map(\.address)
        ranges = symbols.map(\.range)
    }

    /// Whether there is a name for anything: none if kernel.kptr_restrict hides the addresses.
    var isEmpty: Bool { addresses.isEmpty }

    private static func symbol(_ text: [UInt8], _ line: Range<Int>) -> (UInt64, Range<Int>)? {
        var address: UInt64 = 0
        var position = line.lowerBound
        while position < line.upperBound, let digit = hexDigit(text[position]) {
            address = address << 4 | digit
            position += 1
        }
        guard address != 0, position + 3 < line.upperBound, text[position] == UInt8(ascii: " ") else { return nil }
        // Text symbols only: t, T, w, W.
        let type = text[position + 1] | 0x20
        guard type == UInt8(ascii: "t") || type == UInt8(ascii: "w") else { return nil }
        return (address, position + 3..<line.upperBound)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt64? {
        switch byte {
        case 0x30...0x39: UInt64(byte - 0x30)
        case 0x61...0x66: UInt64(byte - 0x61 + 10)
        default: nil
        }
    }

    /// `symbol+0xoffset`, with ` [module]` behind it where the symbol is a module's; nil if no symbol is near.
    func name(_ address: UInt64) -> String? {
        var low = 0
        var high = addresses.count
        while low < high {
            let middle = (low + high) / 2
            if addresses[middle] <= address { low = middle + 1 } else { high = middle }
        }
        guard low > 0, address - addresses[low - 1] < Self.farthest else { return nil }
        let text = names[ranges[low - 1]]
        let offset = "+0x" + String(address - addresses[low - 1], radix: 16)
        guard let tab = text.firstIndex(of: UInt8(ascii: "\t")) else { return String(kernelName: text) + offset }
        return String(kernelName: text[..<tab]) + offset + " " + String(kernelName: text[(tab + 1)...])
    }
}
