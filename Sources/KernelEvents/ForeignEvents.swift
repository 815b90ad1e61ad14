/// Recordings that other tools made, read as `decide` events: tcprst-gadget's JSON, and the kernel's text of
/// `tcp:tcp_send_reset` from tracefs, perf script and trace-cmd report.
///
/// Such a recording has no header. Its events carry no sequence numbers; `Recording.timebase` says what their times
/// are, `ResetEvent.isTupleComplete` whether both ends are known.
public enum ForeignEvents {
    /// Reads a whole file; nil if it is none of these.
    public static func decode(_ bytes: UnsafeRawBufferPointer) -> Recording? {
        guard let scanner = unsafe LineScanner(bytes) else { return nil }
        let gadget = GadgetReader(scanner).recording
        if !gadget.events.isEmpty { return gadget }
        let trace = TraceReader(scanner)
        return trace.hasTraceHeader || !trace.recording.events.isEmpty ? trace.recording : nil
    }

    /// Reads a whole file; nil if it is none of these.
    public static func decode(_ bytes: RawSpan) -> Recording? {
        unsafe bytes.withUnsafeBytes { unsafe decode($0) }
    }

    /// Reads a whole file; nil if it is none of these.
    public static func decode(_ bytes: [UInt8]) -> Recording? {
        unsafe decode(bytes.span.bytes)
    }
}
