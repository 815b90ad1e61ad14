import ArgumentParser
import Glibc
import Logging
import Reporting

/// Writes log messages to standard error as other command-line tools do: `rst-analyze: warning: …`.
struct StandardErrorLog: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let kind = event.level >= .error ? "error: " : event.level == .warning ? "warning: " : ""
        // Messages contain names of files, which are untrusted.
        writeAll("rst-analyze: \(kind)\(event.message.description.printable)\n", to: STDERR_FILENO)
    }
}

/// Writes the whole text; false if the reader is gone.
@discardableResult
func writeAll(_ text: String, to descriptor: Int32) -> Bool {
    writeAll(Array(text.utf8), to: descriptor)
}

@discardableResult
func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var done = 0
    while done < bytes.count {
        let count = bytes[done...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return false }
        done += count
    }
    return true
}

/// Why something cannot be written, with its name and errno.
struct WriteFailure: Error, CustomStringConvertible {
    let description: String

    /// - Parameter operation: what was tried, such as `create` or `write`.
    init(_ operation: String, _ path: String) {
        description = "cannot \(operation) \(path): \(String(cString: strerror(errno)))"
    }
}

/// Logs why something could not be written, and throws the exit status.
func logged<Value>(_ body: () throws(WriteFailure) -> Value) throws -> Value {
    do {
        return try body()
    } catch {
        log.error("\(error)")
        throw ExitCode(1)
    }
}
