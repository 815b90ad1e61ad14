import PcapReader

/// A lz4 stream.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    decompress(data, size, as: .lz4)
    return 0
}
