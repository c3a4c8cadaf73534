import Loop
import Bytes

/// Joins the pieces of a body by copying: each piece keeps the whole block alive that it was read into, and a chunk
/// may have a single byte.
struct BodyCollector: ~Copyable {
  /// Shorter bodies are not counted. Most are shorter, connections read ahead as much anyway, and so they are always
  /// accepted.
  private static let uncounted = 16 << 10
  /// The length of the parts of a body of unknown length: growing one block would copy it repeatedly.
  private static let partLength = 1 << 20
  /// `BlockCache` rounds long blocks up to a multiple of this.
  private static let largePage = 2 << 20

  private(set) var count = 0
  /// The sum of what `charge` has returned.
  private(set) var charged = 0
  private let length: Int?
  private var parts: [Bytes] = []
  private var part = ByteBuffer()

  /// - Parameter length: of the body, if it is known.
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

  /// How many more bytes of memory the body needs for `piece`.
  mutating func charge(for piece: Bytes) -> Int {
    let total = count + piece.count
    guard total > Self.uncounted else { return 0 }
    var wanted = total
    if let length, length >= BlockCache.smallestLong {
      wanted = min((total + Self.largePage - 1) / Self.largePage * Self.largePage, max(length, total))
    }
    defer { charged = max(charged, wanted) }
    return max(0, wanted - charged)
  }

  /// The whole body in one block.
  mutating func takeAll() async throws -> Bytes {
    guard !parts.isEmpty else { return part.takeAll() }
    parts.append(part.takeAll())
    return try await Computation.run(over: count) { [parts] in Bytes.join(parts) }
  }
}
