extension ResetEvent {
    /// What a RST that was received found, and what came of it.
    public struct Reception: Sendable, Equatable {
        public enum Fate: String, Sendable, CaseIterable {
            /// It ended the connection.
            case accepted
            /// It reached the host and had no effect: `ResetEvent.reason` says why.
            case ignored
        }

        /// How the program waits for something to happen on the socket.
        public enum Wait: String, Sendable, CaseIterable {
            /// In a call on this socket, which returns now.
            case call
            /// In poll() or select().
            case poll
            /// It watches the socket with epoll, and may be busy meanwhile.
            case epoll
            /// A request of io_uring.
            case ioUring = "io_uring"
            /// Not at all: it learns of the RST at its next call.
            case nobody = "none"
        }

        public var fate = Fate.accepted
        /// `sk_err`, which the program gets; nil where no program has the socket any more.
        public var errno: UInt16?
        /// Nil if no program has the socket any more, or it was not recorded.
        public var wait: Wait?
        /// Nanoseconds since data was last sent or received, or else since the connection was made.
        public var idle: Int64?
        /// Nanoseconds since connect(), or since the SYN came; nil if that was before the recording.
        public var age: Int64?
        /// Bytes that this end had sent and the other had not acknowledged.
        public var unacknowledged: UInt32?
        /// Bytes that this end had received and the program had not read.
        public var unread: UInt32?
        /// Of an ignored RST: the kernel function that dropped it, as in a stack.
        public var location: String?

        public init() {}
    }
}
