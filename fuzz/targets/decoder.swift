import PcapReader

/// One byte for how much longer the packet was on the wire, two bytes for the link type, then the packet.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let (choice, bytes) = input(data, size)
    guard bytes.count >= 2 else { return 0 }
    let packet = Array(bytes.dropFirst(2))
    var writer = PcapngWriter()
    writer.appendSection()
    writer.appendInterface(linkType: UInt16(bytes[0]) << 8 | UInt16(bytes[1]))
    writer.appendPacket(packet, interface: 0, time: 0, originalLength: UInt32(packet.count) + UInt32(choice) * 16)
    check(writer.buffer, window: 1 << 20)
    return 0
}
