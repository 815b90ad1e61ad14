import CaptureFile
import Correlator
import PcapReader

extension CaptureInput {
    /// Reads the capture once more, for what it has of some connections.
    mutating func loadConnections(_ filter: ConnectionFilter, _ progress: ((_ done: Int, _ total: Int?) -> Void)?) {
        do {
            let file = try InputFile(path: file)
            var builder = ConnectionTable.Builder(filter, resets: resets.count)
            _ = try file.scan(selecting: .flows(filter), progress: progress, into: &builder)
            connections = CapturedConnections(builder.finish())
            var search = connections.table.translationSearch
            if let selection = search.selection {
                _ = try file.scan(selecting: selection, progress: progress, into: &search)
                connections.translationGaps = search.gaps
            }
            connections.listeners = search.listeners
        } catch {
            connections.failure = "cannot be read a second time: \(error)"
        }
    }

    /// Reads a capture without RSTs once more, for how its connections ended.
    mutating func loadUnfinished(_ progress: ((_ done: Int, _ total: Int?) -> Void)?) {
        guard !isFiltered else { return }
        var all = CollectedSegments()
        guard let file = try? InputFile(path: file),
            let summary = try? file.scan(selecting: .all, progress: progress, into: &all)
        else { return }
        connections.unfinished = UnfinishedConnections(ConnectionTable(all.finish()), end: summary.lastTime ?? 0)
    }
}
