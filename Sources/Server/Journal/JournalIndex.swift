import DequeModule

/// Where the lines of a journal begin in its stream of bytes, and which of them are kept. It holds no bytes.
///
/// A position for each line would need memory without limit, so only some lines are marked. The lines between two marks are
/// found by their line breaks.
struct JournalIndex {
  /// The beginning of a line.
  struct Mark: Equatable {
    /// The number of lines before it since the beginning of the journal.
    let line: Int
    /// The number of bytes before it since the beginning of the journal.
    let offset: Int64
  }

  /// Where a line is.
  enum Place: Equatable {
    /// At the mark or behind it.
    case behind(Mark)
    /// No longer kept.
    case dropped
    /// Not written yet.
    case ahead
  }

  /// The least number of bytes between two marks. There are 16,384 marks, which take 256 KiB, in a journal of 1 GiB.
  private static let longestSpacing: Int64 = 64 << 10
  /// Lines are dropped up to a mark, so that small journals need marks that are near to each other.
  private static let fewestMarks: Int64 = 16

  /// The most bytes that are kept.
  private(set) var capacity: Int64
  /// The beginning of the line that will be appended next.
  private(set) var end = Mark(line: 0, offset: 0)
  private var marks: Deque<Mark> = []

  /// An index of an empty journal.
  init(capacity: Int64) { self.capacity = capacity }

  /// The first line that is kept; `end` where none is.
  var first: Mark { marks.first ?? end }

  /// Appends a line of so many bytes. The oldest lines are dropped if more than `capacity` bytes would be kept.
  mutating func append(_ length: Int) {
    let spacing = min(Self.longestSpacing, capacity / Self.fewestMarks)
    if marks.last.map({ end.offset - $0.offset >= spacing }) ?? true { marks.append(end) }
    end = Mark(line: end.line + 1, offset: end.offset + Int64(length))
    drop(before: end.offset - capacity)
  }

  /// From now on keeps at most `capacity` bytes, and nothing before `offset`.
  mutating func restrict(to capacity: Int64, from offset: Int64) {
    self.capacity = capacity
    drop(before: max(offset, end.offset - capacity))
  }

  /// Where the line is that has `line` lines before it.
  func place(of line: Int) -> Place {
    if line > end.line { return .ahead }
    if line == end.line { return .behind(end) }
    guard line >= first.line else { return .dropped }
    return .behind(marks[lastMark { $0.line <= line }])
  }

  /// The offset of the last marked line that begins behind `offset`, at `end` at the latest; nil if none does. The distance of
  /// marks makes it a line near `end`, or one behind a long line.
  func lastLineStart(behind offset: Int64, upTo end: Int64) -> Int64? {
    if end >= self.end.offset { return self.end.offset > offset ? self.end.offset : nil }
    guard !marks.isEmpty else { return nil }
    let mark = marks[lastMark { $0.offset <= end }]
    return mark.offset > offset && mark.offset <= end ? mark.offset : nil
  }

  /// The index of the last mark for which `isBefore` holds, as it does for all before that one; 0 if it holds for none.
  private func lastMark(_ isBefore: (Mark) -> Bool) -> Int {
    var low = 0, high = marks.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if isBefore(marks[middle]) { low = middle } else { high = middle }
    }
    return low
  }

  private mutating func drop(before offset: Int64) {
    while let first = marks.first, first.offset < offset { marks.removeFirst() }
  }
}
