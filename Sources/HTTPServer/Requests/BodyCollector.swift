import Loop
import Bytes

/// Puts a body together in memory from its pieces. It copies them: each piece keeps the whole block alive that it was read
/// into, and chunks may have a single byte.
struct BodyCollector: ~Copyable {
  /// Bodies up to this length are not counted: connections may have as much read ahead in any case, and most requests are
  /// shorter. So they are served whatever others send.
  private static let uncounted = 16 << 10
  /// A body of unknown length is gathered in parts of this length, since memory that grows is copied again and again.
  private static let partLength = 1 << 20
  /// The system gives memory to long blocks by as much at a time (`LargeBlockReuse`).
  private static let largePage = 2 << 20

  /// How many bytes there are.
  private(set) var count = 0
  /// How many bytes of memory have been asked for.
  private(set) var charged = 0
  private let length: Int?
  private var parts: [Bytes] = []
  private var part = ByteBuffer()

  /// - Parameter length: of the body, where it is known.
  init(length: Int?) { self.length = length }

  mutating func append(_ piece: Bytes) {
    if let length {
      if part.isEmpty { part.reserve(length) }
    } else if part.count >= Self.partLength {
      parts.append(part.takeAll())
    }
    part.append(piece)
    count += piece.count
  }

  /// How many bytes of memory the body takes beyond what was asked for before, once `piece` belongs to it.
  mutating func charge(for piece: Bytes) -> Int {
    let total = count + piece.count
    guard total > Self.uncounted else { return 0 }
    var wanted = total
    if let length, length >= LargeBlockReuse.smallestBlock {
      wanted = min((total + Self.largePage - 1) / Self.largePage * Self.largePage, max(length, total))
    }
    defer { charged = max(charged, wanted) }
    return max(0, wanted - charged)
  }

  /// All of it in one run.
  mutating func takeAll() async throws -> Bytes {
    guard !parts.isEmpty else { return part.takeAll() }
    parts.append(part.takeAll())
    return try await Computation.run(over: count) { [parts] in Bytes.join(parts) }
  }
}
