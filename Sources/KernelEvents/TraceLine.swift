import NetworkTypes

/// What precedes the event's name in a line of the kernel's trace text.
///
///                python3-17468   [001] ..s1.  1857.398870: tcp_send_reset: ...        tracefs `trace`, `trace_pipe`
///                python3-17556   (  17556) [000] .....  1860.219138: tcp_send_reset:  the same with record-tgid
///                python3 17601 [001]  1860.873044: tcp:tcp_send_reset: ...            perf script
///                python3-17468 [001]  1857.398870: tcp_send_reset:       ...          trace-cmd report
///
/// A command name can hold anything, also what looks like the rest; so it is read from the right.
struct TracePrefix {
    var comm = ""
    /// The thread; ftrace and perf call it the pid.
    var tid: Int32?
    /// The thread group, which user space calls the process.
    var tgid: Int32?
    var cpu: Int32?
    var context: ResetEvent.Task.Context?
    /// Nanoseconds of the trace clock.
    var time: Int64

    /// Nil if there is no timestamp in seconds at the end.
    init?(_ text: ArraySlice<UInt8>) {
        var rest = text.trimmed()
        guard rest.popLast() == UInt8(ascii: ":"), let time = Self.nanoseconds(rest.takeLastWord()) else { return nil }
        self.time = time
        rest = rest.trimmed()
        // irqs-off, need-resched, hardirq/softirq, preempt-depth, ... (kernel/trace/trace_output.c,
        // trace_print_lat_fmt) may stand after the CPU.
        var beforeFlags = rest
        let flags = beforeFlags.takeLastWord()
        beforeFlags = beforeFlags.trimmed()
        if rest.last != UInt8(ascii: "]"), beforeFlags.last == UInt8(ascii: "]") {
            rest = beforeFlags
            switch flags.count >= 4 ? flags.dropFirst(2).first : nil {
            case UInt8(ascii: "."): context = .process
            case UInt8(ascii: "s"): context = .softirq
            case UInt8(ascii: "h"), UInt8(ascii: "H"), UInt8(ascii: "z"), UInt8(ascii: "Z"): context = .hardirq
            default: break
            }
        }
        if rest.last == UInt8(ascii: "]"), let bracket = rest.lastIndex(of: UInt8(ascii: "[")) {
            cpu = Int32(decimal: rest[(bracket + 1)...].dropLast())
            rest = rest[..<bracket].trimmed()
        }
        if rest.last == UInt8(ascii: ")"), let bracket = rest.lastIndex(of: UInt8(ascii: "(")) {
            tgid = Int32(decimal: rest[(bracket + 1)...].dropLast().trimmed())
            rest = rest[..<bracket].trimmed()
        }
        let digits = rest.reversed().prefix { $0 >= 0x30 && $0 <= 0x39 }.count
        let thread = Int32(decimal: rest.suffix(digits))
        rest = rest.dropLast(digits)
        guard let thread, let separator = rest.popLast() else { return }
        tid = thread
        if separator == UInt8(ascii: "/") {
            let digits = rest.reversed().prefix { $0 >= 0x30 && $0 <= 0x39 }.count
            tgid = Int32(decimal: rest.suffix(digits))
            rest = rest.dropLast(digits)
        }
        let name = String(kernelName: rest.trimmed())
        // What ftrace prints when it no longer knows the name.
        comm = name == "<...>" ? "" : name
    }

    /// Seconds with one to nine digits after the point. Trace clocks that count something else have no point.
    private static func nanoseconds(_ text: ArraySlice<UInt8>) -> Int64? {
        guard let point = text.firstIndex(of: UInt8(ascii: ".")) else { return nil }
        let fraction = text[(point + 1)...]
        guard let seconds = Int64(decimal: text[..<point]), seconds < 4_000_000_000, (1...9).contains(fraction.count),
            var nanoseconds = Int64(decimal: fraction)
        else { return nil }
        for _ in fraction.count..<9 { nanoseconds *= 10 }
        return seconds * 1_000_000_000 + nanoseconds
    }
}

/// The `key=value` words after the event's name.
struct TraceArguments {
    private var values: [String: Substring] = [:]

    init(_ text: ArraySlice<UInt8>) {
        for word in String(decoding: text, as: UTF8.self).split(whereSeparator: { $0 == " " || $0 == "\t" }) {
            guard let equals = word.firstIndex(of: "=") else { continue }
            values[String(word[..<equals])] = word[word.index(after: equals)...]
        }
    }

    subscript(key: String) -> Substring? { values[key] }

    /// False for the many ways NULL is printed, nil if the key is absent.
    func isPointer(_ key: String) -> Bool? {
        guard let text = values[key] else { return nil }
        return text.first != "(" && text.contains { $0 != "0" && $0 != "x" }
    }

    /// The two ends, in one of the two layouts; nil if there is neither.
    ///
    /// Kernels up to 6.9 (class `tcp_event_sk_skb`) print `sport= dport= saddr= daddr= saddrv6= daddrv6=`. Of these
    /// saddrv6 and daddrv6 are right for every family (IPv4 is mapped), saddr and daddr only for AF_INET. From 6.10 on it is
    /// `src= dest=` (`%pISpc`).
    var tuple: FourTuple? {
        if let source = values["src"], let destination = values["dest"] {
            let (local, remote) = (Self.end(source), Self.end(destination))
            return FourTuple(
                source: local.address, sourcePort: local.port, destination: remote.address,
                destinationPort: remote.port)
        }
        guard let sourcePort = values["sport"].flatMap({ UInt16($0) }),
            let destinationPort = values["dport"].flatMap({ UInt16($0) }),
            let source = (values["saddrv6"] ?? values["saddr"]).flatMap({ IPAddress($0) }),
            let destination = (values["daddrv6"] ?? values["daddr"]).flatMap({ IPAddress($0) })
        else { return nil }
        return FourTuple(
            source: source, sourcePort: sourcePort, destination: destination, destinationPort: destinationPort)
    }

    /// The layout of kernels up to 6.9, whose event does not fire without a full socket.
    var isOfFullSocketsOnly: Bool { values["src"] == nil && values["sport"] != nil }

    /// `10.0.0.1:80` or `[fd00::1]:80`; zeros for `(einval)`, which the kernel prints when it had no address.
    private static func end(_ text: Substring) -> (address: IPAddress, port: UInt16) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return (IPAddress(ipv4: 0), 0)
        }
        var address = text[..<colon]
        if address.first == "[", address.last == "]" { address = address.dropFirst().dropLast() }
        return (IPAddress(address) ?? IPAddress(ipv4: 0), port)
    }

    /// A name with or without `TCP_`, or the number that perf prints where it cannot resolve the name.
    var state: TCPState? {
        guard let text = values["state"] else { return nil }
        if text.hasPrefix("0x") { return UInt8(text.dropFirst(2), radix: 16).flatMap(TCPState.init(rawValue:)) }
        return TCPState(name: text)
    }

    /// A number is no reason: the numbers moved between releases.
    var reason: String? {
        guard let text = values["reason"], let first = text.first, first.isLetter else { return nil }
        return String(text)
    }
}

extension ArraySlice<UInt8> {
    /// Without white space at both ends.
    func trimmed() -> ArraySlice {
        var slice = self
        while let byte = slice.first, byte == 0x20 || byte == 0x09 { slice.removeFirst() }
        while let byte = slice.last, byte == 0x20 || byte == 0x09 || byte == 0x0d { slice.removeLast() }
        return slice
    }

    /// Removes and returns what follows the last space.
    fileprivate mutating func takeLastWord() -> ArraySlice {
        let start = lastIndex { $0 == 0x20 || $0 == 0x09 }.map { $0 + 1 } ?? startIndex
        let word = self[start...]
        self = self[..<start]
        return word
    }

    /// Where the last occurrence of a text begins.
    func lastRange(of text: StaticString) -> Range<Int>? {
        let length = text.utf8CodeUnitCount
        guard count >= length, length > 0 else { return nil }
        var start = endIndex - length
        while start >= startIndex {
            var matched = 0
            while matched < length, unsafe self[start + matched] == text.utf8Start[matched] { matched += 1 }
            if matched == length { return start..<start + length }
            start -= 1
        }
        return nil
    }
}

extension FixedWidthInteger {
    /// Decimal digits and nothing else; nil also when the number does not fit.
    init?(decimal digits: some Collection<UInt8>) {
        guard !digits.isEmpty else { return nil }
        var value: Self = 0
        for byte in digits {
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Self(byte - 0x30))
            guard !overflow, !carry else { return nil }
            value = sum
        }
        self = value
    }
}
