/// What a file is, by its first bytes; its name says nothing.
public enum FileKind: String, Sendable, CaseIterable {
    case pcap, pcapng, gzip, zstd, lz4, xz, bzip2, other

    /// The first bytes that suffice for `init(prefix:)`.
    public static let prefixLength = 12

    /// Recognises a file by its magic number; fewer than 4 bytes are `.other`.
    public init(prefix: RawSpan) {
        guard prefix.byteCount >= 4 else {
            self =
                prefix.byteCount >= 2 && prefix.u8(0) == 0x1f && prefix.u8(1) == 0x8b ? .gzip : .other
            return
        }
        let magic = prefix.le32(0)
        switch magic {
        case PcapMagic.section: self = .pcapng
        case 0xfd2f_b528: self = .zstd
        case 0x184d_2204, 0x184c_2102: self = .lz4
        // "\u{fd}7zXZ\0"; "BZh" and a digit.
        case 0x587a_37fd where prefix.byteCount >= 6 && prefix.le16(4) == 0x005a: self = .xz
        case 0x3168_5a42...0x3968_5a42 where magic & 0xff_ffff == 0x68_5a42: self = .bzip2
        case 0x184d_2a50...0x184d_2a5f: self = Self.skippable(prefix)
        default:
            if PcapMagic(magic) != nil {
                self = .pcap
            } else if magic & 0xffff == 0x8b1f {
                self = .gzip
            } else {
                self = .other
            }
        }
    }

    public init(prefix: [UInt8]) {
        unsafe self.init(prefix: prefix.span.bytes)
    }

    /// zstd and lz4 share the magic of their skippable frames; the frame that follows tells them apart when it is
    /// within the prefix, and zstd, which is what writes such frames (pzstd), is assumed when it is not.
    private static func skippable(_ prefix: RawSpan) -> FileKind {
        guard prefix.byteCount >= 8 else { return .zstd }
        let next = 8 + Int(prefix.le32(4))
        guard next + 4 <= prefix.byteCount else { return .zstd }
        return prefix.le32(next) == 0x184d_2204 ? .lz4 : .zstd
    }
}

/// The magic numbers of pcap (draft-ietf-opsawg-pcap, section 4, and libpcap's sf-pcap.c).
struct PcapMagic: Equatable {
    var order: ByteOrder
    var nanoseconds: Bool
    /// Alexey Kuznetzov's variant of 1999 with interface, protocol and packet type in each record.
    var modified = false
    /// Ixia's `lcap`: one more word in the file header, the number of bytes that follow it.
    var ixia = false

    /// The block type of a pcapng section header, the same in both byte orders.
    static let section: UInt32 = 0x0a0d_0d0a

    /// From the first four bytes of a file, read as a little-endian number.
    init?(_ magic: UInt32) {
        switch magic {
        case 0xa1b2_c3d4: self.init(order: .little, nanoseconds: false)
        case 0xd4c3_b2a1: self.init(order: .big, nanoseconds: false)
        case 0xa1b2_3c4d: self.init(order: .little, nanoseconds: true)
        case 0x4d3c_b2a1: self.init(order: .big, nanoseconds: true)
        case 0xa1b2_cd34: self.init(order: .little, nanoseconds: false, modified: true)
        case 0x34cd_b2a1: self.init(order: .big, nanoseconds: false, modified: true)
        case 0x1c00_01ac: self.init(order: .little, nanoseconds: true, ixia: true)
        case 0xac01_001c: self.init(order: .big, nanoseconds: true, ixia: true)
        case 0x1c00_01ab: self.init(order: .little, nanoseconds: false, ixia: true)
        case 0xab01_001c: self.init(order: .big, nanoseconds: false, ixia: true)
        default: return nil
        }
    }

    private init(order: ByteOrder, nanoseconds: Bool, modified: Bool = false, ixia: Bool = false) {
        self.order = order
        self.nanoseconds = nanoseconds
        self.modified = modified
        self.ixia = ixia
    }
}
