import Bytes
import Testing
import Wire

@testable import Server

@Suite struct ExecutionRecordTests {
  private func record() -> ExecutionRecord {
    ExecutionRecord(identifier: "1", contextIdentifier: "2", language: "python")
  }

  @Test func `it follows an execution from its queue to its end`() {
    var record = record()
    #expect(record.state == .queued && record.started == nil)
    record.note(.accepted(executionCount: 7))
    #expect(record.state == .running && record.started != nil && record.executionCount == 7)
    record.wait(forInput: true)
    #expect(record.state == .waitingForInput)
    record.wait(forInput: false)
    record.note(.end)
    record.finish(.succeeded)
    #expect(record.state == .succeeded && record.isFinished && record.lineCount == 2)
    record.finish(.lost)
    record.wait(forInput: true)
    #expect(record.state == .succeeded)
  }

  @Test func `an execution that never began waits for no input`() {
    var record = record()
    record.wait(forInput: true)
    #expect(record.state == .queued)
    record.finish(.interrupted)
    #expect(record.started == nil && record.isFinished)
  }

  @Test func `an error that was told is a failure`() {
    var record = record()
    record.note(.failure(.executionInterrupted, "variables could not be set"))
    record.finish(.succeeded)
    #expect(record.state == .failed && record.failure?.name == "ExecutionInterrupted")
  }

  @Test func `the text of an error is short, and cut between characters`() throws {
    for text in [String(repeating: "漢", count: 10_000), String(repeating: "\u{1F600}", count: 10_000)] {
      let ascii = JSONString.asciiLine(contents: JSONString.contents(of: text))
      for contents in [JSONString.contents(of: text), ascii] {
        var record = record()
        record.note(.error(name: contents, value: contents, traceback: []))
        let failure = try #require(record.failure)
        #expect(failure.name.utf8.count <= 140 && failure.value.utf8.count <= 1040)
        #expect(!failure.value.unicodeScalars.contains("\u{FFFD}"))
      }
    }
  }
}
