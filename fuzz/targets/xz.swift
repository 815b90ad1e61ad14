import PcapReader

/// An xz stream.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    decompress(data, size, as: .xz)
    return 0
}
