import PcapReader

/// A zstd stream.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    decompress(data, size, as: .zstd)
    return 0
}
