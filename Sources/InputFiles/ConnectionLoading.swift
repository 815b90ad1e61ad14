import CaptureFile
import Correlator
import PcapReader

extension CaptureInput {
    /// Reads the capture once more, for what it has of some connections.
    mutating func loadFlows(_ filter: ConnectionFilter, _ progress: ((_ done: Int, _ total: Int?) -> Void)?) {
        do {
            let file = try InputFile(path: file)
            var builder = ConnectionTable.Builder(filter, resets: resets.count)
            _ = try file.scan(selecting: .flows(filter), progress: progress, into: &builder)
            flows = builder.finish()
            hasFlows = true
            var search = flows.translationSearch
            if let selection = search.selection {
                _ = try file.scan(selecting: selection, progress: progress, into: &search)
                translationGaps = search.gaps
            }
            listeners = search.listeners
        } catch {
            damage.append("cannot be read a second time: \(error)")
            damageCount += 1
        }
    }

    /// Reads a capture without RSTs once more, for how its connections ended.
    mutating func loadUnfinished(_ progress: ((_ done: Int, _ total: Int?) -> Void)?) {
        guard filters.allSatisfy({ $0 == nil }) else { return }
        var all = CollectedSegments()
        guard let file = try? InputFile(path: file),
            let summary = try? file.scan(selecting: .all, progress: progress, into: &all)
        else { return }
        unfinished = UnfinishedConnections(ConnectionTable(all.finish()), end: summary.lastTime ?? 0)
    }
}
