import Glibc
import Testing

@testable import Loop

@Suite struct LogStreamTests {
  @Test func `unread lines are queued, and those beyond the limit are counted`() throws {
    let pipe = try Pipe()
    defer { pipe.close() }
    let log = LogStream(descriptor: pipe.writing)
    let line = String(repeating: "x", count: 999) + "\n"
    var written = 2000
    for _ in 0..<written { log.write(line) }
    // In bytes: to search strings that long takes a debug build minutes.
    var bytes: [UInt8] = []
    for _ in 0..<20 where !bytes.contains(UInt8(ascii: "(")) {
      bytes += pipe.readAll()
      log.write(line)
      written += 1
    }
    bytes += pipe.readAll()
    let lines = bytes.split(separator: UInt8(ascii: "\n"))
    let kept = lines.filter { $0.first == UInt8(ascii: "x") }
    #expect(kept.allSatisfy { $0.count == 999 } && kept.count * 1000 >= LogStream.limit)
    #expect(lines.last?.first == UInt8(ascii: "x"))
    let others = lines.filter { $0.first != UInt8(ascii: "x") }.map { String(decoding: $0, as: UTF8.self) }
    #expect(others == ["(\(written - kept.count) lines were dropped here: nobody read the log)"])
  }

  @Test func `lines are dropped when the reader is gone`() throws {
    let pipe = try Pipe()
    signal(SIGPIPE, SIG_IGN)
    Glibc.close(pipe.reading)
    let log = LogStream(descriptor: pipe.writing)
    for _ in 0..<1000 { log.write(String(repeating: "x", count: 1000)) }
    #expect(log.waitingCount == 0)
    Glibc.close(pipe.writing)
  }

  private struct Pipe {
    let reading: CInt
    let writing: CInt

    init() throws {
      var ends: [CInt] = [0, 0]
      try #require(pipe(&ends) == 0)
      (reading, writing) = (ends[0], ends[1])
      try #require(fcntl(reading, F_SETFL, O_NONBLOCK) == 0)
    }

    /// What is there now.
    func readAll() -> [UInt8] {
      var bytes: [UInt8] = []
      var block = [UInt8](repeating: 0, count: 65536)
      while case let count = read(reading, &block, block.count), count > 0 { bytes += block[..<count] }
      return bytes
    }

    func close() {
      Glibc.close(reading)
      Glibc.close(writing)
    }
  }
}
