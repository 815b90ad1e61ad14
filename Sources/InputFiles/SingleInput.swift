public import CaptureFile
import Correlator
public import KernelEvents
import PcapReader

/// One file, for who wants it as it is, not joined with others.
public enum SingleInput {
    case capture(InputFile)
    case recording(Recording)

    /// The captures and recordings among files and in directories; what lies in a directory and is neither is passed over.
    ///
    /// - Parameter take: gets each of them with its path, or why it cannot be read.
    public static func forEach(
        _ paths: [String], _ take: (_ path: String, Result<SingleInput, SingleInputFailure>) throws -> Void
    ) rethrows {
        for argument in paths.map({ Argument($0, recursively: false) }) {
            var isEmpty = true
            for candidate in argument.files {
                guard let input = read(candidate) else { continue }
                isEmpty = false
                try take(candidate.path, input)
            }
            if isEmpty {
                try take(argument.path, .failure(.init("\(argument.path): no capture and no events in this directory")))
            }
        }
    }

    private static func read(_ candidate: Candidate) -> Result<SingleInput, SingleInputFailure>? {
        do {
            let file = try InputFile(path: candidate.path)
            guard file.isRereadable else {
                return .failure(.init("\(candidate.path): it is read twice, so it must be a file, not a pipe"))
            }
            if [.pcap, .pcapng].contains(file.contentKind) { return .success(.capture(file)) }
        } catch {
            return .failure(.init("\(candidate.path): \(error)"))
        }
        return switch RecordingReader.read(candidate) {
        case .recording(let input): .success(.recording(input.recording))
        case .failure(let reason): .failure(.init(reason))
        case .capture, .empty, .neither: nil
        }
    }
}

/// Why a file cannot be read: a sentence with its name.
public struct SingleInputFailure: Error, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}
