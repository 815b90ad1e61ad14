import Dispatch
import Glibc
import KernelEvents
import Synchronization

/// Asks the runtimes what they call containers, on a thread of its own: each container once, and none holds up an event.
final class ContainerNames: @unchecked Sendable {
    private struct Mailbox {
        var questions: [ContainerQuestion] = []
        /// Processes whose containers may be asked for later, and may be gone by then.
        var arrived: [Int32] = []
        var ready: [ContainerRecord] = []
        /// When the last question is given up; nil while the recording goes on. CLOCK_MONOTONIC in nanoseconds.
        var deadline: Int64?
    }

    private struct Answer {
        var record: ContainerRecord?
        /// CLOCK_MONOTONIC, nanoseconds.
        var asked: Int64
    }

    private let mailbox = Mutex(Mailbox())
    private let wake = DispatchSemaphore(value: 0)
    private let running = DispatchGroup()
    private let places: [ContainerPlaces]
    private let patience: Int64
    private let cgroups: @Sendable (Int32) -> [UInt8]
    // Used by the thread alone.
    private var answers: [ContainerQuestion: Answer] = [:]
    /// Until when sockets that did not answer in time are left alone, by path.
    private var silent: [String: Int64] = [:]

    /// Questions that wait, and answers that are kept: containers come and go for weeks.
    private static let capacity = 4096
    /// Nanoseconds until a container that nobody knew is asked for again.
    private static let forgetting: Int64 = 60_000_000_000
    private static let silence: Int64 = 30_000_000_000
    /// What reading a file may take once there is no time left for another question.
    private static let grace = DispatchTimeInterval.milliseconds(500)

    /// - Parameters:
    ///   - patience: nanoseconds that a runtime may take to answer, and that the end of a recording waits for answers.
    ///   - cgroups: what /proc/PID/cgroup says of a process.
    init(
        _ places: [ContainerPlaces], patience: Int64 = 2_000_000_000,
        cgroups: @escaping @Sendable (Int32) -> [UInt8] = { readFile("/proc/\($0)/cgroup") }
    ) {
        self.places = places
        self.patience = patience
        self.cgroups = cgroups
    }

    /// Asks for containers that events name, and learns the names of others while they are there.
    ///
    /// - Parameter arrived: processes whose containers no event has named yet.
    func note(_ questions: [ContainerQuestion], arrived: [Int32] = []) {
        mailbox.withLock {
            $0.questions += questions.prefix(max(0, Self.capacity - $0.questions.count))
            $0.arrived += arrived.prefix(max(0, Self.capacity - $0.arrived.count))
        }
        wake.signal()
    }

    /// What was answered since the last time.
    func take() -> [ContainerRecord] {
        mailbox.withLock { mailbox in
            guard !mailbox.ready.isEmpty else { return [] }
            defer { mailbox.ready = [] }
            return mailbox.ready
        }
    }

    func start() { DispatchQueue(label: "containers").async(group: running, execute: run) }

    /// Gives up questions that are not answered soon.
    func stop() {
        mailbox.withLock { $0.deadline = clockNanoseconds(CLOCK_MONOTONIC) + patience }
        wake.signal()
    }

    /// Waits until it has stopped; but not for a thread that hangs in the kernel, at a file on a server that is away.
    func wait() { _ = running.wait(timeout: .now() + .nanoseconds(Int(patience)) + Self.grace) }

    /// Answers until it is stopped and nothing is left to be asked.
    func run() {
        while true {
            wake.wait()
            while let next = next() {
                switch next {
                case .question(let question):
                    if let record = answer(question) { mailbox.withLock { $0.ready.append(record) } }
                case .process(let pid):
                    if let question = ContainerQuestion(process: cgroups(pid)) { _ = answer(question) }
                }
            }
            if mailbox.withLock({ $0.deadline != nil && $0.questions.isEmpty }) { return }
        }
    }

    private enum Next {
        case question(ContainerQuestion)
        case process(Int32)
    }

    private func next() -> Next? {
        mailbox.withLock { mailbox in
            if let deadline = mailbox.deadline {
                mailbox.arrived = []
                if clockNanoseconds(CLOCK_MONOTONIC) >= deadline { mailbox.questions = [] }
            }
            if !mailbox.questions.isEmpty { return .question(mailbox.questions.removeFirst()) }
            return mailbox.arrived.popLast().map { .process($0) }
        }
    }

    private func answer(_ question: ContainerQuestion) -> ContainerRecord? {
        let now = clockNanoseconds(CLOCK_MONOTONIC)
        if let known = answers[question], known.record != nil || now - known.asked < Self.forgetting {
            return known.record
        }
        if answers.count >= Self.capacity { answers = [:] }
        let record = ask(question)
        answers[question] = Answer(record: record, asked: now)
        return record
    }

    private func ask(_ question: ContainerQuestion) -> ContainerRecord? {
        for host in places {
            for place in host.places(for: question) {
                let now = clockNanoseconds(CLOCK_MONOTONIC)
                var patience = patience
                if let deadline = mailbox.withLock({ $0.deadline }) { patience = min(patience, deadline - now) }
                guard patience > 0 else { return nil }
                if case .socket(let socket, _) = place, let until = silent[socket.path], now < until { continue }
                do {
                    if var record = try host.ask(place, question, patience: patience) {
                        record.slice = question.slice
                        return record
                    }
                } catch .silent {
                    if case .socket(let socket, _) = place {
                        if silent.count >= Self.capacity { silent = [:] }
                        silent[socket.path] = now + Self.silence
                    }
                } catch {
                    // There is none.
                }
            }
        }
        return nil
    }
}
