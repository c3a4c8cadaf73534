import Bytes
import Testing
import Wire

@testable import Server

@Suite struct OutputLimitTests {
  private static let alphabet = ["a", "é", "漢", "😀", "\n", "\"", "\u{1}"]

  /// Everything that is told, in order, and what is left out of each stream.
  private struct Told {
    var text: [StreamName: String] = [:]
    var omitted: [StreamName: Int] = [:]
    var order = ""

    mutating func add(_ events: [OutputEvent]) {
      for event in events {
        switch event {
        case .stream(let name, let text, _):
          let text = String(JSONString.decode(contents: text))
          self.text[name, default: ""] += text
          order += text
        case .outputTruncated(let name, let count): omitted[name, default: 0] += count
        default: Issue.record("\(event)")
        }
      }
    }
  }

  @Test(arguments: 0..<200) func `sums are exact, and no character is cut`(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let limit = Int.random(in: 1...200, using: &random)
    var output = OutputLimit(limit)
    var told = Told()
    var whole: [StreamName: String] = [:]
    var all = ""
    for _ in 0..<Int.random(in: 0...40, using: &random) {
      let name: StreamName = Bool.random(using: &random) ? .stdout : .stderr
      let text = (0..<Int.random(in: 0...15, using: &random)).map { _ in
        Self.alphabet[Int.random(in: 0..<Self.alphabet.count, using: &random)]
      }.joined()
      whole[name, default: ""] += text
      all += text
      let contents =
        Bool.random(using: &random)
        ? JSONString.contents(of: text) : JSONString.asciiLine(contents: JSONString.contents(of: text))
      told.add(output.take(name, contents, ""))
    }
    let beginning = told.order
    told.add(output.finish())
    #expect(told.order.utf8.count <= limit)
    #expect(!told.order.unicodeScalars.contains("\u{FFFD}"))
    #expect(all.utf8.starts(with: beginning.utf8))
    let end = told.order.utf8.dropFirst(beginning.utf8.count)
    #expect(all.utf8.suffix(end.count).elementsEqual(end))
    for name in [StreamName.stdout, .stderr] {
      let count = (told.text[name] ?? "").utf8.count + (told.omitted[name] ?? 0)
      #expect(count == (whole[name] ?? "").utf8.count)
    }
    if all.utf8.count <= limit { #expect(told.omitted.isEmpty && told.order.utf8.count == all.utf8.count) }
  }

  @Test func `many short texts of both streams stay within their limit`() {
    var output = OutputLimit(4 << 20)
    var told = Told()
    for number in 0..<200_000 {
      told.add(output.take(number % 2 == 0 ? .stdout : .stderr, "0123456789012345678901234567890", ""))
    }
    told.add(output.finish())
    let count = told.text.values.reduce(0) { $0 + $1.utf8.count } + told.omitted.values.reduce(0, +)
    #expect(count == 200_000 * 31)
    #expect(told.order.utf8.count <= 4 << 20)
  }
}
