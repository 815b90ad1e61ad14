import Dispatch
import Glibc
import KernelEvents
import Synchronization

/// Asks the runtimes what they call containers, on a thread of its own: each container once, and none holds up an event.
final class ContainerNames: @unchecked Sendable {
    private struct Mailbox {
        var questions: [ContainerQuestion] = []
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
    private let places: [ContainerPlaces]
    // Used by the thread alone.
    private var answers: [String: Answer] = [:]
    /// Until when sockets that did not answer in time are left alone, by path.
    private var silent: [String: Int64] = [:]

    /// Questions that wait, and answers that are kept: containers come and go for weeks.
    private static let capacity = 4096
    /// Nanoseconds until a container that nobody knew is asked for again.
    private static let forgetting: Int64 = 60_000_000_000
    private static let silence: Int64 = 30_000_000_000

    init(_ places: [ContainerPlaces]) { self.places = places }

    /// Asks for containers that were seen.
    func note(_ questions: [ContainerQuestion]) {
        mailbox.withLock { $0.questions += questions.prefix(max(0, Self.capacity - $0.questions.count)) }
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

    /// Gives up questions that are not answered soon.
    func stop() {
        mailbox.withLock { $0.deadline = clockNanoseconds(CLOCK_MONOTONIC) + ContainerPlaces.patience }
        wake.signal()
    }

    /// Answers until it is stopped and nothing is left to be asked.
    func run() {
        while true {
            wake.wait()
            while let question = next() {
                if let record = answer(question) { mailbox.withLock { $0.ready.append(record) } }
            }
            if mailbox.withLock({ $0.deadline != nil && $0.questions.isEmpty }) { return }
        }
    }

    private func next() -> ContainerQuestion? {
        mailbox.withLock { mailbox in
            if let deadline = mailbox.deadline, clockNanoseconds(CLOCK_MONOTONIC) >= deadline { mailbox.questions = [] }
            return mailbox.questions.isEmpty ? nil : mailbox.questions.removeFirst()
        }
    }

    private func answer(_ question: ContainerQuestion) -> ContainerRecord? {
        let now = clockNanoseconds(CLOCK_MONOTONIC)
        if let known = answers[question.id], known.record != nil || now - known.asked < Self.forgetting {
            return known.record
        }
        if answers.count >= Self.capacity { answers = [:] }
        let record = ask(question)
        answers[question.id] = Answer(record: record, asked: now)
        return record
    }

    private func ask(_ question: ContainerQuestion) -> ContainerRecord? {
        for host in places {
            for place in host.places(for: question) {
                let now = clockNanoseconds(CLOCK_MONOTONIC)
                var patience = ContainerPlaces.patience
                if let deadline = mailbox.withLock({ $0.deadline }) { patience = min(patience, deadline - now) }
                guard patience > 0 else { return nil }
                if case .socket(let socket, _) = place, let until = silent[socket.path], now < until { continue }
                do {
                    if let record = try host.ask(place, question, patience: patience) { return record }
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
