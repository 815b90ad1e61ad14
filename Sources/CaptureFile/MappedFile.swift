import CMappedFile
import Glibc

/// A file's bytes as memory, read from disk as they are looked at.
public final class MappedFile: @unchecked Sendable {
    /// Never written to, and gone when the object is.
    let base: UnsafeRawPointer?
    public let count: Int
    private let guardNumber: Int32

    /// Maps the first bytes of a regular file.
    ///
    /// - Parameters:
    ///   - descriptor: stays open, and may be closed while the mapping lives.
    ///   - count: no more than the file has.
    public init(descriptor: Int32, count: Int) throws(FileError) {
        self.count = count
        guard count > 0 else {
            base = nil
            guardNumber = -1
            return
        }
        guard let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
            throw FileError(operation: "map", errno: errno)
        }
        base = UnsafeRawPointer(address)
        guardNumber = mapped_file_guard(address, count)
        madvise(address, count, MADV_SEQUENTIAL)
    }

    deinit {
        mapped_file_release(guardNumber)
        if let base { munmap(UnsafeMutableRawPointer(mutating: base), count) }
    }

    /// Calls the function with all bytes.
    public func withBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: base, count: count)))
    }

    /// Whether the file shrank and bytes that are gone were looked at: they read as zeros.
    public var hasShrunk: Bool { mapped_file_faulted(guardNumber) }

    /// Gives back the memory of what has been read, up to an offset; it is read again from disk if it is looked at again.
    func release(from start: Int, to end: Int) {
        guard let base else { return }
        let page = 4096
        let first = start & ~(page - 1)
        let last = end & ~(page - 1)
        guard last > first else { return }
        madvise(UnsafeMutableRawPointer(mutating: base) + first, last - first, MADV_DONTNEED)
    }
}

/// A call to the system that failed.
public struct FileError: Error, Equatable, CustomStringConvertible {
    /// What was tried: `open`, `read`, `map`.
    public var operation: String
    public var errno: Int32
    public var description: String { "cannot \(operation): \(String(cString: strerror(errno)))" }
}
