import CCrypto

/// AES with a key of 128 bits (FIPS 197), block by block, from OpenSSL's libcrypto.
public final class AES128 {
    private let context: OpaquePointer

    /// - Parameter key: its 16 bytes as a big-endian number.
    /// - Returns: nil if libcrypto has no AES, or no memory.
    public init?(key: UInt128) {
        guard let context = EVP_CIPHER_CTX_new() else { return nil }
        self.context = context
        let isReady = withUnsafeBytes(of: key.bigEndian) {
            EVP_EncryptInit_ex(context, EVP_aes_128_ecb(), nil, $0.bindMemory(to: UInt8.self).baseAddress, nil) == 1
        }
        guard isReady, EVP_CIPHER_CTX_set_padding(context, 0) == 1 else { return nil }
    }

    deinit { EVP_CIPHER_CTX_free(context) }

    /// - Parameter block: 16 bytes as a big-endian number.
    public func encrypt(_ block: UInt128) -> UInt128 {
        var output: UInt128 = 0
        var count: Int32 = 0
        let status = withUnsafeBytes(of: block.bigEndian) { input in
            withUnsafeMutableBytes(of: &output) { output in
                EVP_EncryptUpdate(
                    context, output.bindMemory(to: UInt8.self).baseAddress, &count,
                    input.bindMemory(to: UInt8.self).baseAddress, 16)
            }
        }
        // With a key and without padding, whole blocks cannot fail; what is not encrypted must not be written.
        precondition(status == 1 && count == 16, "AES failed")
        return UInt128(bigEndian: output)
    }
}
