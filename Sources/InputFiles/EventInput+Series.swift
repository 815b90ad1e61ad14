import Correlator
import KernelEvents

extension EventInput {
    /// Joins the files of each divided recording, as far as none in between is missing; everything else stays as it is.
    static func joined(_ inputs: [EventInput]) -> [EventInput] {
        guard inputs.contains(where: { $0.recording.header?.series != nil }) else { return inputs }
        struct Key: Hashable {
            let boot: String
            let series: String
        }
        var series: [Key: [EventInput]] = [:]
        var order: [(key: Key?, input: EventInput)] = []
        for input in inputs {
            guard let header = input.recording.header, let id = header.series?.id else {
                order.append((nil, input))
                continue
            }
            let key = Key(boot: header.bootID, series: id)
            if series[key] == nil { order.append((key, input)) }
            series[key, default: []].append(input)
        }
        return order.flatMap { key, input in key.map { runs(series[$0] ?? []) } ?? [input] }
    }

    /// The files of one series, those joined that follow each other.
    private static func runs(_ files: [EventInput]) -> [EventInput] {
        func number(_ input: EventInput) -> Int { input.recording.header?.series?.number ?? 0 }
        var runs: [[EventInput]] = []
        for input in files.sorted(by: { number($0) < number($1) }) {
            if let last = runs.last?.last, input.recording.header?.series?.follows == true,
                number(last) == number(input) - 1, last.recording.footer != nil
            {
                runs[runs.count - 1].append(input)
            } else {
                runs.append([input])
            }
        }
        return runs.map { run in
            guard run.count > 1, let first = run.first, let last = run.last else { return run[0] }
            return EventInput(
                file: "\(first.file) to \(last.file)", recording: Recording.joined(run.map(\.recording)))
        }
    }
}
