import PcapReader

/// One byte that chooses the byte order and the window size, then the blocks after a section header.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let (choice, bytes) = input(data, size)
    let unknownLength = [UInt8](repeating: 0xff, count: 8)
    let section: [UInt8] =
        choice & 1 == 0
        ? [0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0] + unknownLength + [28, 0, 0, 0]
        : [0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 28, 0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0] + unknownLength + [0, 0, 0, 28]
    check(section + bytes, window: Int(choice >> 1) * 4 + 1)
    return 0
}
