import NetworkTypes

/// Reads the JSON of tcprst-gadget (github.com/blanquicet/tcprst-gadget, an Inspektor Gadget): objects one after the
/// other, one a line or pretty-printed, or an array of them, maybe with log lines between.
///
/// It tells the two ends of the socket, two functions, the task and the owner, but neither a time nor sequence
/// numbers. `src` and `dst` are the local and the remote end of the socket (`__sk_common`), so `src` is the end that
/// resets; without a socket both are zero, and after CLOSE the local port is zero (it is `skc_num`).
struct GadgetReader {
    static let tool = "tcprst-gadget"

    private(set) var recording = Recording()
    private var line = 1
    private var functions: [String: [String]] = [:]

    init(_ scanner: LineScanner) {
        recording.timebase = .none
        var scanner = scanner
        scanner.spansLines = true
        if scanner.word(at: 0) & 0xff_ffff == 0xbf_bbef { scanner.position = 3 }
        var lineStart = scanner.position
        while scanner.position < scanner.end {
            switch scanner.byte {
            case LineScanner.newline:
                line += 1
                scanner.position += 1
                lineStart = scanner.position
            case 0x20, 0x09, 0x0d, UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "]"): scanner.position += 1
            case UInt8(ascii: "{"):
                let start = scanner.position
                do throws(LineProblem) {
                    append(try scanner.value(), at: start)
                } catch {
                    if recording.damage.count < RecordingDecoder.namedDamage {
                        recording.damage.append(
                            LineDamage(line: line, offset: lineStart, problem: error.message(lineStart: start)))
                    }
                    recording.damagedLines += 1
                    // The next object begins on a line of its own; one inside the broken object has no callee.
                    scanner.position = scanner.endOfLine(from: start)
                }
                for index in start..<scanner.position where scanner.byte(at: index) == LineScanner.newline {
                    line += 1
                    lineStart = index + 1
                }
            default:
                // A log line such as "INFO[0000] Experimental features enabled".
                recording.ignoredLines += 1
                scanner.position = scanner.endOfLine(from: scanner.position)
            }
        }
    }

    private mutating func append(_ value: JSONValue, at start: Int) {
        guard let callee = value["callee"]?.string, callee.hasPrefix("FUNC_") || callee == "UNKOWN_CALLEE",
            value["sk_state"] != nil
        else {
            recording.ignoredLines += 1
            return
        }
        var event = ResetEvent(
            kind: .decide, hook: Self.tool, monotonic: 0,
            tuple: FourTuple(
                source: Self.address(value["src"]), sourcePort: value["src"]?["port"]?.integer() ?? 0,
                destination: Self.address(value["dst"]), destinationPort: value["dst"]?["port"]?.integer() ?? 0))
        event.line = line
        event.functions = path(callee, value["caller"]?.string ?? "")
        // The state when the calling function was entered; at the hook itself it is often CLOSE already.
        event.previousState = value["sk_state"]?.integer(UInt8.self).flatMap(TCPState.init(rawValue:))
        if let pid = value["pid"]?.integer(Int32.self), pid >= 0 {
            event.task = ResetEvent.Task(
                pid: pid, tid: value["tid"]?.integer() ?? pid,
                uid: value["uid"]?.integer() ?? ResetEvent.Task.unknownUID, comm: value["comm"]?.string ?? "",
                context: nil)
        }
        // All zero without a socket, and for a socket that was made before the gadget started.
        if let netns = value["socket_netns_id"]?.integer(UInt32.self), netns != 0 {
            event.netns = netns
            var socket = ResetEvent.Socket()
            socket.uid = value["socket_uid"]?.integer()
            if let pid = value["socket_pid"]?.integer(Int32.self), pid > 0 {
                socket.owner = ResetEvent.Owner(pid: pid, comm: value["socket_comm"]?.string ?? "")
            }
            event.socket = socket
        }
        switch callee {
        case "FUNC_TCP_SEND_ACTIVE_RESET": event.provoked = false
        case "FUNC_TCP_V4_SEND_RESET", "FUNC_NF_SEND_RESET": event.provoked = true
        default: break
        }
        recording.events.append(event)
    }

    private static func address(_ end: JSONValue?) -> IPAddress {
        end?["addr"]?.string.flatMap { IPAddress($0) } ?? IPAddress(ipv4: 0)
    }

    /// `FUNC_TCP_V4_SEND_RESET` becomes `tcp_v4_send_reset`; what the gadget does not know is left out.
    private mutating func path(_ callee: String, _ caller: String) -> [String] {
        let name = callee + " " + caller
        if let known = functions[name] { return known }
        let path = [callee, caller].filter { $0.hasPrefix("FUNC_") }.map { $0.dropFirst(5).lowercased() }
        // The names are few; those of a hostile file need not be kept.
        if functions.count < 256 { functions[name] = path }
        return path
    }
}
