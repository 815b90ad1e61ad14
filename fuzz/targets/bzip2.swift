import PcapReader

/// A bzip2 stream.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    decompress(data, size, as: .bzip2)
    return 0
}
