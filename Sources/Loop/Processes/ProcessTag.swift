import CUV
import Glibc

/// A number that a process hands down to all that it starts, and they to theirs, whatever they do to get away: it stays
/// in a session of their own, with an empty environment, and when their parents have ended.
///
/// It is their limit of file locks (`RLIMIT_LOCKS`, the soft one). Linux hands limits down at fork(2), keeps them at
/// execve(2), shows those of every process in `/proc`, and has not heeded this one since 2.4.25.
public struct ProcessTag: Sendable, Hashable {
  let number: UInt64

  /// True where it is of the same series.
  func isSibling(of other: ProcessTag) -> Bool {
    number / ProcessTagSeries.size == other.number / ProcessTagSeries.size
  }

  /// Gives it to a process, and thereby to all that this starts from now on.
  ///
  /// - Returns: false where the system does not let us.
  @discardableResult
  public func put(on process: Int32) -> Bool { limitFileLocks(process, number) == 0 }
}

extension ProcessTag {
  private static let label = Array("Max file locks ".utf8)

  init(_ number: UInt64) { self.number = number }

  /// What a limit of file locks stands for; nil for the limit of those that were not tagged.
  init?(limit: UInt64) {
    if limit == UInt64.max { return nil }
    number = limit
  }

  /// What a process bears, by its `/proc/PID/limits`; nil where it bears none.
  init?(limits: [UInt8]) {
    let lines = limits.split(separator: UInt8(ascii: "\n"))
    guard let line = lines.first(where: { $0.starts(with: Self.label) }),
      let soft = line.dropFirst(Self.label.count).split(separator: UInt8(ascii: " ")).first,
      let number = UInt64(String(decoding: soft, as: UTF8.self))
    else { return nil }
    self.number = number
  }
}

/// Tags that no other series has, neither in this process nor in another.
public struct ProcessTagSeries: Sendable {
  /// More processes than one server starts in its life.
  static let size: UInt64 = 100_000_000

  private let beginning = UInt64.random(in: 1_000_000_000...9_999_999_999)
  private var count: UInt64 = 0

  /// A new one.
  public init() {}

  /// Matches, as an extended regular expression, a line in the `/proc/PID/limits` of all that bear one of these.
  public var pattern: String { "^Max file locks +\(beginning)[0-9]{8} " }

  /// The next one.
  public mutating func next() -> ProcessTag {
    defer { count += 1 }
    return ProcessTag(beginning * Self.size + count % Self.size)
  }
}
