import CLaboratory
import Glibc

/// A thread that lives in a network namespace of its own.
///
/// The namespace has no name and no mount: it exists while the thread, its sockets or its children do, so nothing is
/// left behind, however the process ends. Sockets and commands that a closure creates on this thread belong to the
/// namespace.
package final class NamespaceThread: @unchecked Sendable {
    package let name: String
    /// An open `/proc/thread-self/ns/net`.
    package private(set) var descriptor: Int32 = -1
    /// The number that `readlink /proc/PID/ns/net` shows.
    package private(set) var inode: UInt32 = 0

    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>
    private var thread: pthread_t = 0
    private var job: (() -> Void)?
    private var finished = true
    private var ended = false
    private var closed = false

    /// Starts the thread and makes the namespace, with its loopback interface down.
    ///
    /// Needs CAP_SYS_ADMIN; throws the errno of unshare(2) otherwise. The name is what `comm` shows, up to 15 bytes.
    package init(name: String) throws {
        self.name = name
        mutex = .allocate(capacity: 1)
        changed = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(changed, nil)
        let unmanaged = Unmanaged.passRetained(self)
        let status = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<NamespaceThread>.fromOpaque(argument).takeRetainedValue().serve()
                return nil
            }, unmanaged.toOpaque())
        guard status == 0 else {
            unmanaged.release()
            throw LabError.system(call: "pthread_create", subject: name, errno: status)
        }
        do {
            try run { try enterNamespace() }
        } catch {
            close()
            throw error
        }
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        mutex.deallocate()
    }

    private func enterNamespace() throws {
        try? File.write(name, to: "/proc/thread-self/comm")
        try check(laboratory_unshare_netns(), "unshare", "CLONE_NEWNET")
        descriptor = try check(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), "open", "ns/net")
        var status = stat()
        try check(fstat(descriptor, &status), "fstat", "ns/net")
        inode = UInt32(truncatingIfNeeded: status.st_ino)
    }

    /// Runs the closure on the thread and waits for it. The closure must bound its own waits.
    package func run<Result>(_ body: () throws -> Result) throws -> Result {
        if pthread_equal(pthread_self(), thread) != 0 { return try body() }
        return try withoutActuallyEscaping(body) { body in
            var result: Swift.Result<Result, any Error>?
            pthread_mutex_lock(mutex)
            while job != nil || !finished { pthread_cond_wait(changed, mutex) }
            guard !closed else {
                pthread_mutex_unlock(mutex)
                throw LabError.unsupported("the lab is closed")
            }
            job = { result = Swift.Result { try body() } }
            finished = false
            pthread_cond_broadcast(changed)
            while !finished { pthread_cond_wait(changed, mutex) }
            pthread_cond_broadcast(changed)
            pthread_mutex_unlock(mutex)
            return try result!.get()
        }
    }

    /// Ends the thread and waits for it; the namespace goes with its last socket.
    package func close() {
        pthread_mutex_lock(mutex)
        let first = !closed
        closed = true
        pthread_cond_broadcast(changed)
        pthread_mutex_unlock(mutex)
        guard first else { return }
        pthread_join(thread, nil)
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    private func serve() {
        pthread_mutex_lock(mutex)
        while true {
            while job == nil && !closed { pthread_cond_wait(changed, mutex) }
            guard let work = job else { break }
            pthread_mutex_unlock(mutex)
            work()
            pthread_mutex_lock(mutex)
            job = nil
            finished = true
            pthread_cond_broadcast(changed)
        }
        pthread_mutex_unlock(mutex)
    }
}
