import JSONText
import NetworkTypes

/// Members of the objects of events.jsonl. One whose value is nil is not written.
extension JSONWriter {
    /// A key, after a comma unless it is the first of its object.
    @inline(__always)
    mutating func key(_ key: RecordKey) {
        let text = isAtStart ? key.firstText : key.text
        raw(text.bytes, length: text.length)
    }

    @inline(__always)
    mutating func member(_ key: RecordKey, _ value: (some FixedWidthInteger)?) {
        guard let value else { return }
        self.key(key)
        if value < 0 { number(Int64(truncatingIfNeeded: value)) } else { number(UInt64(truncatingIfNeeded: value)) }
    }

    mutating func member(_ key: RecordKey, _ value: String?) {
        guard let value else { return }
        self.key(key)
        string(value)
    }

    mutating func member(_ key: RecordKey, _ value: Bool?) {
        guard let value else { return }
        self.key(key)
        boolean(value)
    }

    mutating func member(_ key: RecordKey, _ value: TCPFlags?) {
        guard let value else { return }
        self.key(key)
        flags(value)
    }

    mutating func member(_ key: RecordKey, _ value: TCPState?) { member(key, value?.name) }

    mutating func member(_ key: RecordKey, _ value: ResetEvent.Owner?) {
        guard let value else { return }
        object(key) { json in
            json.member(.pid, value.pid)
            json.member(.comm, value.comm)
            json.member(.holders, value.holders)
        }
    }

    /// A boolean that is absent where it is false.
    mutating func mark(_ key: RecordKey, _ value: Bool) {
        if value { member(key, true) }
    }

    /// The four members of the addresses and ports.
    mutating func members(_ tuple: FourTuple) {
        key(.src)
        address(tuple.source)
        member(.sport, tuple.sourcePort)
        key(.dst)
        address(tuple.destination)
        member(.dport, tuple.destinationPort)
    }

    @inline(__always)
    mutating func object(_ key: RecordKey, _ body: (inout JSONWriter) -> Void) {
        self.key(key)
        object(body)
    }

    @inline(__always)
    mutating func object(_ body: (inout JSONWriter) -> Void) {
        raw("{")
        body(&self)
        raw("}")
    }

    mutating func list<Element>(
        _ key: RecordKey, _ elements: [Element], _ body: (inout JSONWriter, Element) -> Void
    ) {
        self.key(key)
        raw("[")
        for (index, element) in elements.enumerated() {
            if index > 0 { raw(",") }
            body(&self, element)
        }
        raw("]")
    }
}
