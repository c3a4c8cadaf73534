import Bytes
import DequeModule
import Wire

/// Limits what is sent of the standard streams of one execution: their beginning as it comes, and their end at the end. What
/// is between is left out, and its length is reported.
struct OutputLimit {
  /// The end waits in memory, so that it has at most so many bytes.
  static let longestEnd = 16 << 20

  /// And at most so many pieces, however short; joined are so many at once.
  private static let mostPieces = 8192, longestRun = 64

  private struct Piece {
    let name: StreamName
    var text: Bytes
    let timestamp: Bytes
    /// In bytes of UTF-8.
    var count: Int
  }

  /// How many more bytes of the beginning may be sent.
  private var left: Int
  private var endLimit: Int
  /// What is the end so far.
  private var end: Deque<Piece> = []
  private var endCount = 0
  private var omitted: [StreamName: Int] = [:]

  /// - Parameter limit: how many bytes of UTF-8 are sent of both streams together: three quarters of them as they come, one at
  ///   the end.
  init(_ limit: Int) {
    endLimit = min(limit / 4, Self.longestEnd)
    left = limit - endLimit
  }

  /// What is to be sent of this text now.
  mutating func take(_ name: StreamName, _ text: Bytes, _ timestamp: Bytes) -> [OutputEvent] {
    let (length, count) = JSONString.prefix(contents: text, utf8Limit: left)
    left -= count
    if length < text.count {
      // What follows belongs to the end, and so does the room that was too short for the next character.
      endLimit += left
      left = 0
      keep(name, text[length...], timestamp)
    }
    return length > 0 ? [.stream(name, text: text[0..<length], timestamp: timestamp)] : []
  }

  /// What is to be sent when the execution has ended.
  mutating func finish() -> [OutputEvent] {
    let events =
      [StreamName.stdout, .stderr].compactMap { name in
        omitted[name].map { OutputEvent.outputTruncated(name, omittedBytes: $0) }
      } + end.map { .stream($0.name, text: $0.text, timestamp: $0.timestamp) }
    end = []
    omitted = [:]
    return events
  }

  private mutating func keep(_ name: StreamName, _ text: Bytes, _ timestamp: Bytes) {
    let count = JSONString.utf8Count(contents: text)
    // A copy: a short text would keep the memory of all that was read together with it.
    end.append(Piece(name: name, text: text.copy(), timestamp: timestamp.copy(), count: count))
    endCount += count
    if end.count > Self.mostPieces { reducePieces() }
    while endCount > endLimit, let first = end.first {
      let surplus = endCount - endLimit
      if first.count <= surplus {
        end.removeFirst()
        omit(first.count, of: first.name)
      } else {
        let cut = Self.cut(first, surplus)
        omit(first.count - cut.count, of: first.name)
        end[0] = cut
      }
    }
  }

  /// Makes one piece of neighbours of the same stream, so that many short texts do not take more memory than their bytes. Leaves
  /// out the oldest where that does not suffice, as with streams that take turns.
  private mutating func reducePieces() {
    var joined: Deque<Piece> = []
    var run: [Piece] = []
    for piece in end {
      if let first = run.first, first.name != piece.name || run.count == Self.longestRun {
        joined.append(Self.join(run))
        run = []
      }
      run.append(piece)
    }
    if !run.isEmpty { joined.append(Self.join(run)) }
    end = joined
    while end.count > Self.mostPieces / 2, let first = end.popFirst() { omit(first.count, of: first.name) }
  }

  private static func join(_ pieces: [Piece]) -> Piece {
    var first = pieces[0]
    first.text = Bytes.join(pieces.map(\.text))
    first.count = pieces.reduce(0) { $0 + $1.count }
    return first
  }

  /// The piece without its first `surplus` bytes, or a few more so that no character is cut.
  private static func cut(_ piece: Piece, _ surplus: Int) -> Piece {
    var piece = piece
    var cut = JSONString.prefix(contents: piece.text, utf8Limit: surplus)
    // The character at the cut goes, too. It has at most four bytes.
    for more in 1...3 where cut.utf8Count < surplus {
      cut = JSONString.prefix(contents: piece.text, utf8Limit: surplus + more)
    }
    piece.text = piece.text[cut.end...]
    piece.count -= cut.utf8Count
    return piece
  }

  private mutating func omit(_ count: Int, of name: StreamName) {
    omitted[name, default: 0] += count
    endCount -= count
  }
}
