public import NetworkTypes

extension ResetEvent {
    /// How a connection ended here, or began to: what `inet_sock_set_state` saw while its socket was there.
    public struct Ending: Sendable, Equatable {
        public enum How: String, Sendable, CaseIterable {
            /// A program closed the last descriptor of the socket.
            case close
            /// The process that had it exited.
            case exit
            /// The process that had it was killed by a signal.
            case killed
            /// shutdown(); the program has the socket still.
            case shutdown
            /// connect() to AF_UNSPEC.
            case disconnect
            /// It had not been accepted when its listener was closed.
            case listener
            /// Somebody destroyed the socket: `tcp_abort()`.
            case destroyed
            /// The peer had reset it.
            case reset
            /// What the peer had not acknowledged was not acknowledged in time, nor were keepalive probes.
            case timeout
            /// Another error of the path; see `errno`.
            case error
        }

        public var how: How
        /// CLOCK_MONOTONIC in nanoseconds.
        public var monotonic: Int64
        /// Who ended it: the leader of its thread group as it was called then. Nil where no process here did.
        public var process: Owner?
        /// The thread's name, where it differs from the process's.
        public var thread: String?
        /// The id of the process's cgroup v2, and the same as a path, see `Socket.cgroupPath`.
        public var cgroup: UInt64?
        public var cgroupPath: String?
        /// Whose socket it had been until then, where that is known.
        public var owner: Owner?
        /// The state before.
        public var state: TCPState?
        /// Nanoseconds since data was last sent or received, or else since the connection was made.
        public var idle: Int64?
        /// The signal that killed the process.
        public var signal: UInt8?
        /// `sk_err` when the connection was over.
        public var errno: UInt16?
        /// Bytes that the program had sent and the peer had not acknowledged.
        public var unacknowledged: UInt32?
        /// TCP_USER_TIMEOUT in milliseconds; 0 is off.
        public var userTimeout: UInt32?
        /// The sequence number after the last byte that the program had written: of the FIN, if there was one.
        public var seq: UInt32?

        public init(how: How, monotonic: Int64) {
            self.how = how
            self.monotonic = monotonic
        }

        /// The connection ended through a process that had its socket.
        public var isByOwner: Bool {
            switch how {
            case .close, .exit, .killed, .shutdown, .disconnect, .listener: true
            case .destroyed, .reset, .timeout, .error: false
            }
        }
    }
}
