import PcapReader

/// A gzip stream.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    decompress(data, size, as: .gzip)
    return 0
}
