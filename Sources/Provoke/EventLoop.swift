import CLaboratory
import Glibc
import Laboratory

/// The owner of a descriptor that an event loop watches.
protocol EventHandler: AnyObject {
    /// Something may have happened to the descriptor; an event can be late and mean nothing.
    func ready(_ descriptor: Int32, _ events: UInt32)
}

/// Watches descriptors with epoll(7) and runs timers, in one thread.
public final class EventLoop {
    private let poll: Descriptor
    /// Indexed by descriptor: numbers are small, and the lookup is cheap.
    private var handlers: [(any EventHandler)?] = []
    private var timers = TimerQueue()
    private var isStopped = false
    private var events = [laboratory_event](repeating: laboratory_event(), count: 256)

    public init() throws {
        poll = Descriptor(try check(laboratory_poll_create(), "epoll_create1"))
    }

    static let readable = UInt32(LABORATORY_READABLE)
    static let writable = UInt32(LABORATORY_WRITABLE)
    static let edge = UInt32(LABORATORY_EDGE)
    static let peerEnded = UInt32(LABORATORY_PEER_ENDED | LABORATORY_HUNG_UP | LABORATORY_ERROR)
    /// Everything that happens to a connection, edge-triggered.
    static let all = readable | writable | edge | UInt32(LABORATORY_PEER_ENDED)

    func add(_ descriptor: Int32, _ events: UInt32, _ handler: any EventHandler) throws {
        try check(laboratory_poll_add(poll.number, descriptor, events), "epoll_ctl")
        let index = Int(descriptor)
        while handlers.count <= index { handlers += repeatElement(nil, count: max(64, handlers.count)) }
        handlers[index] = handler
    }

    func change(_ descriptor: Int32, _ events: UInt32) {
        _ = laboratory_poll_change(poll.number, descriptor, events)
    }

    /// Must be called before the descriptor is closed, because its number may be reused right after.
    func remove(_ descriptor: Int32) {
        guard descriptor >= 0, Int(descriptor) < handlers.count, handlers[Int(descriptor)] != nil else { return }
        handlers[Int(descriptor)] = nil
        _ = laboratory_poll_remove(poll.number, descriptor)
    }

    /// Like `remove`, for a descriptor that is closed right after: the kernel then removes it by itself.
    func forget(_ descriptor: Int32) {
        if descriptor >= 0, Int(descriptor) < handlers.count { handlers[Int(descriptor)] = nil }
    }

    /// Runs the closure after a number of nanoseconds.
    func after(_ nanoseconds: Int64, _ body: @escaping () -> Void) {
        timers.insert(at: Deadline.now() &+ max(0, nanoseconds), body)
    }

    public func stop() { isStopped = true }

    /// Handles events until `stop()`.
    public func run() throws {
        while !isStopped {
            let count = laboratory_poll_wait(poll.number, &events, Int32(events.count), timers.timeout)
            if count < 0, errno == EINTR { continue }
            try check(count, "epoll_wait")
            for index in 0..<Int(count) {
                let descriptor = events[index].descriptor
                handlers[Int(descriptor)]?.ready(descriptor, events[index].events)
            }
            while !isStopped, let body = timers.next() { body() }
        }
        isStopped = false
    }
}

/// A heap of timers, the earliest first.
private struct TimerQueue {
    private var heap: [(time: Int64, body: () -> Void)] = []

    /// Milliseconds until the first timer is due, rounded up; -1 without timers.
    var timeout: Int32 {
        guard let first = heap.first else { return -1 }
        return Int32(clamping: max(0, (first.time - Deadline.now() + 999_999) / 1_000_000))
    }

    mutating func insert(at time: Int64, _ body: @escaping () -> Void) {
        heap.append((time, body))
        var index = heap.count - 1
        while index > 0, heap[index].time < heap[(index - 1) / 2].time {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    /// Removes and returns a timer that is due.
    mutating func next() -> (() -> Void)? {
        guard let first = heap.first, first.time <= Deadline.now() else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        return first.body
    }

    private mutating func sink() {
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count && heap[child].time < heap[least].time
            {
                least = child
            }
            if least == index { return }
            heap.swapAt(index, least)
            index = least
        }
    }
}
