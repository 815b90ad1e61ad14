import PcapReader

/// One byte that chooses the magic number and the window size, then the file without its magic number.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let (choice, bytes) = input(data, size)
    let magics: [[UInt8]] = [
        [0xd4, 0xc3, 0xb2, 0xa1], [0xa1, 0xb2, 0xc3, 0xd4], [0x4d, 0x3c, 0xb2, 0xa1], [0xa1, 0xb2, 0x3c, 0x4d],
        [0x34, 0xcd, 0xb2, 0xa1], [0xa1, 0xb2, 0xcd, 0x34], [0xac, 0x01, 0x00, 0x1c], [],
    ]
    check(magics[Int(choice & 7)] + bytes, window: Int(choice >> 3) * 8 + 1)
    return 0
}
