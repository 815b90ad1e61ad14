import KernelEvents
import Testing

@testable import Recorder

/// A host whose sockets and clock the test moves.
private final class Host {
    var table: SocketHolders.Table = [:]
    var time: Int64 = 0
    var reads = 0
    /// Nanoseconds that one reading takes.
    var cost: Int64 = 0

    func holders() -> SocketHolders {
        SocketHolders(
            read: { [self] in
                reads += 1
                time += cost
                return table
            }, now: { [self] in time })
    }

    func open(_ inode: UInt64, by pids: Int32...) {
        table[inode] = pids.map { SocketHolders.Holder(pid: $0, comm: "p\($0)") }
    }
}

@Suite struct SocketHoldersTests {
    private let listener = ResetEvent.Owner(pid: 10, comm: "listener")

    @Test func whoHasTheSocketIsTheOwnerAndNotWhoListened() {
        let host = Host()
        host.open(1, by: 11)
        var holders = host.holders()
        #expect(
            holders.owner(inode: 1, remembered: listener) == ResetEvent.Owner(pid: 11, comm: "p11", holders: 1))
        #expect(holders.owner(inode: 1, remembered: nil) == ResetEvent.Owner(pid: 11, comm: "p11", holders: 1))
    }

    @Test func ofSeveralTheRememberedOneIsTheOwner() {
        let host = Host()
        host.open(1, by: 12, 10, 11, 11)
        var holders = host.holders()
        #expect(
            holders.owner(inode: 1, remembered: listener) == ResetEvent.Owner(pid: 10, comm: "listener", holders: 3))
        #expect(holders.owner(inode: 1, remembered: nil)?.pid == 10)
    }

    @Test func whereNobodyHasItTheRememberedOneStays() {
        var holders = Host().holders()
        #expect(holders.owner(inode: 1, remembered: listener) == listener)
        #expect(holders.owner(inode: 1, remembered: nil) == nil)
    }

    @Test func aSocketThatIsNewIsLookedForAtOnce() {
        let host = Host()
        var holders = host.holders()
        for inode in UInt64(1)...20 {
            host.open(inode, by: 11)
            #expect(holders.owner(inode: inode, remembered: nil)?.pid == 11)
        }
        #expect(host.reads == 21)
    }

    @Test func anOldAnswerIsDoubtedAndAFreshOneIsNot() {
        let host = Host()
        host.open(1, by: 11)
        var holders = host.holders()
        host.open(1, by: 12)
        host.time += SocketHolders.freshness
        #expect(holders.owner(inode: 1, remembered: nil)?.pid == 11)
        host.time += 1
        #expect(holders.owner(inode: 1, remembered: nil)?.pid == 12)
        #expect(host.reads == 2)
    }

    /// A million resets of sockets without a known owner.
    @Test(arguments: [Int64(0), 2_000_000, 500_000_000]) func aFloodOfUnknownSocketsDoesNotStopTheRecorder(
        _ cost: Int64
    ) {
        let host = Host()
        host.cost = cost
        var holders = host.holders()
        let start = host.time
        for inode in UInt64(0)..<1_000_000 {
            _ = holders.owner(inode: inode, remembered: nil)
            host.time += 30_000
        }
        let reading = Int64(host.reads - 1) * max(cost, SocketHolders.leastCost)
        #expect(host.reads > 2)
        #expect(reading <= (host.time - start) / SocketHolders.share + SocketHolders.savings + cost)
    }
}
