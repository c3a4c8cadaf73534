import DequeModule

/// The memory of collected bodies, and the queue for more: the pure part of `BodyMemory`.
///
/// All bodies together take at most `limit` bytes. The last `reserve` bytes of these, as many as one body may need, are for
/// one body at a time: if half-sent bodies fill the rest, that body can be completed, and then the next one. Complete
/// bodies count until their requests are answered, since they are in memory until then.
struct BodyMemoryAccount {
  /// Names a body.
  typealias Body = UInt64

  /// In bytes.
  let limit: Int
  /// In bytes; at most `limit`.
  let reserve: Int
  /// In bytes; at most `limit`.
  private(set) var used = 0
  private var held: [Body: Int] = [:]
  private var waiting: Deque<(body: Body, count: Int)> = []
  /// The body that may use the reserve.
  private var favored: Body?

  init(limit: Int, reserve: Int) {
    self.limit = limit
    self.reserve = min(reserve, limit)
  }

  var waitingCount: Int { waiting.count }

  /// Allocates `count` more bytes to `body`. False if it has to wait, until `end` or `free` of another body returns
  /// it.
  mutating func take(_ count: Int, for body: Body) -> Bool {
    // First come, first served, except for the body that all others wait for.
    if waiting.isEmpty || favored == body, give(count, to: body) { return true }
    waiting.append((body, count))
    return false
  }

  /// `body` is complete. Returns the bodies whose wait ends.
  mutating func end(_ body: Body) -> [Body] {
    if favored == body { favored = nil }
    return admit()
  }

  /// Frees the memory of `body`, which does not wait any more. Returns the bodies whose wait ends.
  mutating func free(_ body: Body) -> [Body] {
    used -= held.removeValue(forKey: body) ?? 0
    waiting.removeAll { $0.body == body }
    return end(body)
  }

  private mutating func admit() -> [Body] {
    var admitted: [Body] = []
    if let index = waiting.firstIndex(where: { $0.body == favored }),
      give(waiting[index].count, to: waiting[index].body)
    {
      admitted.append(waiting.remove(at: index).body)
    }
    while let first = waiting.first, give(first.count, to: first.body) {
      admitted.append(first.body)
      waiting.removeFirst()
    }
    return admitted
  }

  private mutating func give(_ count: Int, to body: Body) -> Bool {
    let isCommon = count <= limit - reserve - used
    if !isCommon {
      guard favored == nil || favored == body, count <= limit - used else { return false }
      favored = body
    }
    used += count
    held[body, default: 0] += count
    return true
  }
}
