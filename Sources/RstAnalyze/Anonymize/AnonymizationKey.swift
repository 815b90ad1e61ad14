import Glibc
import HostFiles
import Logging

/// 32 bytes: the key of the cipher and what it pads with.
struct AnonymizationKey {
    let cipherKey: UInt128
    let secret: UInt128

    private static let length = 32

    /// - Parameters:
    ///   - file: it is read, or made with a random key; nil for a random key that nobody keeps.
    ///   - directory: what is passed on, and so must not hold the key.
    init(file: String?, outside directory: CopyDirectory) throws(AnonymizationFailure) {
        guard let file else {
            self.init(Self.random())
            return
        }
        guard !directory.holds(file) else {
            throw AnonymizationFailure("\(file) lies in \(directory.path), which is to be passed on without the key")
        }
        let descriptor = open(file.pathBytes, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        if descriptor < 0, errno == ENOENT {
            self.init(try Self.make(file))
            return
        }
        guard descriptor >= 0 else { throw AnonymizationFailure("read the key", file) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size == Self.length else {
            throw AnonymizationFailure("\(file): a key is a file of \(Self.length) bytes")
        }
        var bytes = [UInt8](repeating: 0, count: Self.length)
        guard read(descriptor, &bytes, Self.length) == Self.length else {
            throw AnonymizationFailure("read the key", file)
        }
        if status.st_mode & 0o077 != 0 { log.warning("\(file): other users can read this key (chmod 600)") }
        self.init(bytes)
    }

    private init(_ bytes: [UInt8]) {
        func number(_ bytes: ArraySlice<UInt8>) -> UInt128 { bytes.reduce(0) { $0 << 8 | UInt128($1) } }
        cipherKey = number(bytes[..<16])
        secret = number(bytes[16...])
    }

    private static func random() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<length).map { _ in UInt8.random(in: 0 ... .max, using: &generator) }
    }

    private static func make(_ file: String) throws(AnonymizationFailure) -> [UInt8] {
        let key = random()
        let descriptor = open(file.pathBytes, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw AnonymizationFailure("create", file) }
        defer { close(descriptor) }
        guard writeAll(key, to: descriptor), fsync(descriptor) == 0 else {
            let failure = AnonymizationFailure("write", file)
            unlink(file.pathBytes)
            throw failure
        }
        return key
    }
}
