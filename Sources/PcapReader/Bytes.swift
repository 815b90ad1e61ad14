/// The order of the bytes in a number.
@frozen
public enum ByteOrder: UInt8, Sendable {
    case little, big
}

/// Loads at a byte offset. All of them check the span's bounds; callers check first that a field was captured, because
/// a failed check stops the program.
extension RawSpan {
    @inline(__always)
    func u8(_ at: Int) -> UInt8 { unsafe unsafeLoadUnaligned(fromByteOffset: at, as: UInt8.self) }

    /// In network byte order.
    @inline(__always)
    func be16(_ at: Int) -> UInt16 {
        UInt16(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: at, as: UInt16.self))
    }

    @inline(__always)
    func be32(_ at: Int) -> UInt32 {
        UInt32(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: at, as: UInt32.self))
    }

    @inline(__always)
    func be64(_ at: Int) -> UInt64 {
        UInt64(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self))
    }

    @inline(__always)
    func le16(_ at: Int) -> UInt16 {
        UInt16(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: at, as: UInt16.self))
    }

    @inline(__always)
    func le32(_ at: Int) -> UInt32 {
        UInt32(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: at, as: UInt32.self))
    }

    @inline(__always)
    func u16(_ at: Int, _ order: ByteOrder) -> UInt16 {
        let value = le16(at)
        return order == .little ? value : value.byteSwapped
    }

    @inline(__always)
    func u32(_ at: Int, _ order: ByteOrder) -> UInt32 {
        let value = le32(at)
        return order == .little ? value : value.byteSwapped
    }

    @inline(__always)
    func u64(_ at: Int, _ order: ByteOrder) -> UInt64 {
        let value = UInt64(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self))
        return order == .little ? value : value.byteSwapped
    }

    /// The bytes of a range as text, up to a zero byte if there is one; what is not UTF-8 is replaced.
    func text(_ range: Range<Int>) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        for at in range {
            let byte = u8(at)
            if byte == 0 { break }
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
