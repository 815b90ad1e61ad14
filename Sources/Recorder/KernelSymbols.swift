import Glibc
import KernelEvents
import NetworkTypes

/// Names for kernel addresses, from the text of /proc/kallsyms.
struct KernelSymbols {
    private var addresses: [UInt64] = []
    /// Where each name begins and ends in `names`.
    private var ranges: [Range<Int>] = []
    private var names: [UInt8]
    /// Where each module lies.
    private let extents: [String: Range<UInt64>]
    /// From the first to the last symbol of the kernel itself, which never moves.
    private var fixed: ClosedRange<UInt64>?

    /// Beyond this from the nearest symbol an address belongs to something that has no name (a module or BPF program that
    /// came after the text was read): no function of the kernel is as long. BPF programs may be.
    private static let farthest: UInt64 = 1 << 16
    private static let farthestInProgram: UInt64 = 1 << 20

    /// - Parameter kallsyms: lines of `address type name [module]`; lines of another form are passed over.
    /// - Parameter modules: the text of /proc/modules, `name size references users state address`. The kernel goes on to
    ///   list a module's init functions where they were, and another module may be there now: only what lies within
    ///   its module counts.
    init(kallsyms: [UInt8], modules: [UInt8] = []) {
        names = kallsyms
        extents = Self.extents(modules)
        var symbols: [(address: UInt64, range: Range<Int>)] = []
        symbols.reserveCapacity(kallsyms.count / 40)
        var position = 0
        while position < kallsyms.count {
            let end = kallsyms[position...].firstIndex(of: UInt8(ascii: "\n")) ?? kallsyms.count
            if let symbol = Self.symbol(kallsyms, position..<end), isInPlace(symbol.0, kallsyms[symbol.1]) {
                symbols.append(symbol)
            }
            position = end + 1
        }
        symbols.sort { $0.address < $1.address }
        addresses = symbols.map(\.address)
        ranges = symbols.map(\.range)
        let kernel = symbols.lazy.filter { !kallsyms[$0.range].contains(UInt8(ascii: "\t")) }.map(\.address)
        if let first = kernel.first, let last = kernel.max() { fixed = first...last }
    }

    /// Whether there is a name for anything: none if kernel.kptr_restrict hides the addresses.
    var isEmpty: Bool { addresses.isEmpty }

    /// Whether the name of the address can change while the kernel runs: modules and BPF programs come and go.
    func isFixed(_ address: UInt64) -> Bool { fixed?.contains(address) == true }

    private static func extents(_ text: [UInt8]) -> [String: Range<UInt64>] {
        var extents: [String: Range<UInt64>] = [:]
        for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count >= 6, let size = UInt64(words[1]), words[5].hasPrefix("0x"),
                let start = UInt64(words[5].dropFirst(2), radix: 16), start != 0
            else { continue }
            let (end, overflow) = start.addingReportingOverflow(size)
            extents[String(words[0])] = start..<(overflow ? .max : end)
        }
        return extents
    }

    private func isInPlace(_ address: UInt64, _ text: ArraySlice<UInt8>) -> Bool {
        guard let extent = extent(text) else { return true }
        return extent.contains(address)
    }

    /// Of the module that the symbol belongs to; nil for the kernel itself and for BPF programs.
    private func extent(_ text: ArraySlice<UInt8>) -> Range<UInt64>? {
        guard let bracket = text.lastIndex(of: UInt8(ascii: "[")) else { return nil }
        let module = text[text.index(after: bracket)...].prefix { $0 != UInt8(ascii: "]") }
        return extents[String(decoding: module, as: UTF8.self)]
    }

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
        let low = addresses.firstPlace { $0 <= address }
        guard low > 0 else { return nil }
        let distance = address - addresses[low - 1]
        guard distance < Self.farthestInProgram else { return nil }
        let text = names[ranges[low - 1]]
        guard distance < Self.farthest || text.starts(with: Array("bpf_prog_".utf8)) else { return nil }
        let offset = "+0x" + String(distance, radix: 16)
        guard let tab = text.firstIndex(of: UInt8(ascii: "\t")) else { return String(kernelName: text) + offset }
        // What follows a module may be one that was loaded after the text was read.
        if let extent = extent(text), !extent.contains(address) { return nil }
        return String(kernelName: text[..<tab]) + offset + " " + String(kernelName: text[(tab + 1)...])
    }
}

/// Names for kernel addresses that stay right while modules are loaded and unloaded.
///
/// A reject rule is what loads nf_reject_ipv4: a table that was read before gives its addresses to whatever module lies
/// before it in memory.
struct LiveSymbols {
    private let kallsyms: () -> [UInt8]
    private let modules: () -> [UInt8]
    private let now: () -> Int64
    private var symbols: KernelSymbols
    private var seenModules: [UInt8]
    private var read: Int64
    /// Had no name when the text was last read: reading it again for them would not help. They would have it read once a
    /// second, on the thread that empties the ring.
    private var nameless: Set<UInt64> = []

    /// How many nameless addresses are remembered.
    private static let mostNameless = 4096
    /// Names of the kernel's own functions, which stay: a flood asks for the same few.
    private var fixed: [UInt64: String] = [:]
    private static let mostFixed = 4096

    /// - Parameter now: CLOCK_MONOTONIC in nanoseconds.
    init(
        kallsyms: @escaping () -> [UInt8], modules: @escaping () -> [UInt8],
        now: @escaping () -> Int64 = { clockNanoseconds(CLOCK_MONOTONIC) }
    ) {
        self.kallsyms = kallsyms
        self.modules = modules
        self.now = now
        // The modules first: one that comes in between is then noticed.
        seenModules = modules()
        symbols = KernelSymbols(kallsyms: kallsyms(), modules: seenModules)
        read = now()
    }

    var isEmpty: Bool { symbols.isEmpty }

    /// See `KernelSymbols`.
    func isFixed(_ address: UInt64) -> Bool { symbols.isFixed(address) }

    /// A name for each address, or the address itself where nothing is known. At 0 there is no code, as a pointer to no
    /// function says.
    mutating func names(_ addresses: some Sequence<UInt64>) -> [String] {
        let addresses = Array(addresses)
        let code = addresses.filter { $0 != 0 && fixed[$0] == nil }
        if !code.allSatisfy(symbols.isFixed) {
            let listed = modules()
            // Users and references change all the time.
            if Self.identities(listed) != Self.identities(seenModules) { reload(listed) }
        }
        if code.contains(where: { symbols.name($0) == nil && !nameless.contains($0) }),
            // A BPF program may have come since; the text is long, so not too often.
            now() - read > 1_000_000_000
        {
            reload(modules())
            for address in code where symbols.name(address) == nil && nameless.count < Self.mostNameless {
                nameless.insert(address)
            }
        }
        return addresses.map { name($0) }
    }

    private mutating func name(_ address: UInt64) -> String {
        if let known = fixed[address] { return known }
        let name = symbols.name(address)
        if let name, symbols.isFixed(address) {
            if fixed.count >= Self.mostFixed { fixed = [:] }
            fixed[address] = name
        }
        return name ?? "0x" + String(address, radix: 16)
    }

    private mutating func reload(_ listed: [UInt8]) {
        seenModules = listed
        symbols = KernelSymbols(kallsyms: kallsyms(), modules: listed)
        nameless = []
        read = now()
    }

    private static func identities(_ modules: [UInt8]) -> Set<String> {
        Set(
            String(decoding: modules, as: UTF8.self).split(separator: "\n").map { line in
                let words = line.split(separator: " ")
                return "\(words.first ?? "") \(words.count > 5 ? words[5] : "")"
            })
    }
}
