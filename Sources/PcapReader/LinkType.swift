/// The LINKTYPE_ values (<https://www.tcpdump.org/linktypes.html>) that this reader looks into.
public enum LinkType {
    public static let null: UInt16 = 0
    public static let ethernet: UInt16 = 1
    public static let ipv4: UInt16 = 228
    public static let ipv6: UInt16 = 229
    public static let raw: UInt16 = 101
    public static let loop: UInt16 = 108
    public static let linuxSLL: UInt16 = 113
    public static let linuxSLL2: UInt16 = 276

    /// The first layer of a packet of that link type; nil where it is not supported.
    @inline(__always)
    static func layer(_ linkType: UInt16) -> Layer? {
        switch linkType {
        case ethernet: .ethernet
        case null, loop: .null
        // 12 and 14 are DLT_RAW as some systems number it, written into files by old libpcap versions.
        case raw, 12, 14: .ip
        case ipv4: .ipv4
        case ipv6: .ipv6
        case linuxSLL: .cooked
        case linuxSLL2: .cooked2
        case 6: .tokenRing
        case 8: .slip
        case 9: .pppSerial
        case 10: .fddi
        case 50: .pppSerial
        case 51: .pppoe
        case 11, 100: .llc
        case 104: .hdlc
        case 105: .wlan
        case 107: .frameRelay
        case 109: .enc
        case 117: .pflog
        case 119: .prism
        case 122: .fibreChannel
        case 123: .sunATM
        case 127: .radiotap
        case 129: .arcnet
        case 163: .avs
        case 166: .pppWithDirection
        case 178: .juniperEthernet
        case 192: .ppi
        case 219: .mpls
        case 239: .nflog
        case 240: .prefixedEthernet(prefix: 4)
        case 241: .prefixedEthernet(prefix: 12)
        case 242: .ipoib
        case 258: .pktap
        case 274: .prefixedEthernet(prefix: 8)
        case 281, 284: .taggedEthernet(tag: 4)
        case 282: .prefixedEthernet(prefix: 4)
        case 285: .taggedEthernet(tag: 8)
        default: nil
        }
    }

    /// More captured bytes than this are damage: what libpcap and Wireshark accept.
    static func maximumCaptured(_ linkType: UInt16) -> UInt32 {
        switch linkType {
        // DBUS, USBPCAP and the two other USB types; EBHSCR.
        case 189, 220, 231, 249, 266: 128 << 20
        case 279: 8 << 20
        default: 262_144
        }
    }

    /// The name without its `LINKTYPE_`, or `link type N`.
    public static func name(_ linkType: UInt16) -> String {
        names[linkType] ?? "link type \(linkType)"
    }

    private static let names: [UInt16: String] = [
        0: "NULL", 1: "ETHERNET", 6: "IEEE802_5", 8: "SLIP", 9: "PPP", 10: "FDDI", 12: "RAW", 14: "RAW",
        50: "PPP_HDLC", 51: "PPP_ETHER", 100: "ATM_RFC1483", 101: "RAW", 104: "C_HDLC", 105: "IEEE802_11",
        107: "FRELAY", 108: "LOOP", 113: "LINUX_SLL", 117: "PFLOG", 119: "IEEE802_11_PRISM", 122: "IP_OVER_FC",
        123: "SUNATM", 127: "IEEE802_11_RADIOTAP", 129: "ARCNET_LINUX", 147: "USER0", 163: "IEEE802_11_AVS",
        165: "BACNET_MS_TP", 166: "PPP_PPPD", 178: "JUNIPER_ETHER", 189: "USB_LINUX", 192: "PPI",
        195: "IEEE802_15_4_WITHFCS", 197: "ERF",
        201: "BLUETOOTH_HCI_H4_WITH_PHDR", 219: "MPLS", 220: "USB_LINUX_MMAPPED", 227: "CAN_SOCKETCAN", 228: "IPV4",
        229: "IPV6", 230: "IEEE802_15_4_NOFCS", 231: "DBUS", 239: "NFLOG", 240: "NETANALYZER",
        241: "NETANALYZER_TRANSPARENT", 242: "IPOIB", 245: "NG40", 249: "USBPCAP", 253: "NETLINK", 258: "PKTAP",
        259: "EPON", 265: "USB_DARWIN", 271: "VSOCK", 276: "LINUX_SLL2", 281: "DSA_TAG_BRCM",
        282: "DSA_TAG_BRCM_PREPEND",
        283: "IEEE802_15_4_TAP", 284: "DSA_TAG_DSA", 285: "DSA_TAG_EDSA",
    ]
}
