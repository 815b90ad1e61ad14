import CZstd
import Testing

@testable import Recorder

/// What a reader gets of events that are compressed, whenever the recorder ends.
struct ZstdStreamTests {
    private static let second: Int64 = 1_000_000_000

    /// The plain bytes, as far as they can be read, and whether the last frame is complete.
    private static func plain(_ bytes: [UInt8]) -> (text: String, isComplete: Bool) {
        let stream = ZSTD_createDStream()
        defer { ZSTD_freeDStream(stream) }
        var plain: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 1 << 17)
        var position = 0
        var status = 1
        while true {
            let made = bytes.withUnsafeBytes { source in
                room.withUnsafeMutableBytes { target in
                    var from = ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: position)
                    var to = ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
                    let before = position
                    let result = ZSTD_decompressStream(stream, &to, &from)
                    position = from.pos
                    if position > before || to.pos > 0 { status = result }
                    return to.pos
                }
            }
            if ZSTD_isError(status) != 0 { return (String(decoding: plain, as: UTF8.self), false) }
            plain += room[..<made]
            if made == 0, position == bytes.count { break }
        }
        return (String(decoding: plain, as: UTF8.self), status == 0)
    }

    @Test func whatIsASecondOldCanBeRead() throws {
        let stream = try #require(ZstdStream())
        var file: [UInt8] = []
        func write(_ text: String, at time: Int64) throws {
            try stream.write(Array(text.utf8), now: time) { part throws(RecorderError) in file += part }
        }
        try write("one\n", at: 0)
        #expect(Self.plain(file) == ("one\n", false) && stream.isSettled)
        try write("two\n", at: Self.second / 2)
        #expect(!stream.isSettled)
        try write("three\n", at: Self.second)
        #expect(Self.plain(file) == ("one\ntwo\nthree\n", false) && stream.isSettled)
        try write("four\n", at: Self.second + 1)
        try stream.finish { part throws(RecorderError) in file += part }
        #expect(Self.plain(file) == ("one\ntwo\nthree\nfour\n", true) && stream.isSettled)
        // Nothing was written since.
        let size = file.count
        try stream.finish { part throws(RecorderError) in file += part }
        #expect(file.count == size)
    }

    @Test func afterAFrameComesAnother() throws {
        let stream = try #require(ZstdStream())
        var file: [UInt8] = []
        for text in ["first", "second"] {
            try stream.write(Array(text.utf8), now: 0) { part throws(RecorderError) in file += part }
            try stream.finish { part throws(RecorderError) in file += part }
        }
        #expect(Self.plain(file) == ("firstsecond", true))
        try stream.write(Array("lost".utf8), now: 1) { part throws(RecorderError) in _ = part }
        stream.startAgain()
        file = []
        try stream.write(Array("anew".utf8), now: 2) { part throws(RecorderError) in file += part }
        #expect(Self.plain(file) == ("anew", false))
    }

    /// More than fits into one piece of output.
    @Test func muchIsWrittenInPieces() throws {
        let stream = try #require(ZstdStream())
        var random = SystemRandomNumberGenerator()
        let text = (0..<300_000).map { _ in "0123456789abcdef".randomElement(using: &random)! }
        var file: [UInt8] = []
        try stream.write(Array(String(text).utf8), now: 0) { part throws(RecorderError) in file += part }
        try stream.finish { part throws(RecorderError) in file += part }
        let read = Self.plain(file)
        #expect(read.text == String(text) && read.isComplete)
    }

    @Test func aFailureIsPassedOn() throws {
        let stream = try #require(ZstdStream())
        #expect(throws: RecorderError.self) {
            try stream.write([1, 2, 3], now: 0) { _ throws(RecorderError) in
                throw RecorderError.cannotWrite(path: "x", reason: "no space")
            }
        }
    }
}
