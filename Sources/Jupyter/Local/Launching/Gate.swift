import DequeModule
import Loop

/// Lets a few through at a time, first come first served. Whoever takes long makes room for the next.
@LoopActor
final class Gate {
  private var free: Int
  private var waiting = Deque<PendingRequest>()
  private let patience: Duration

  /// - Parameters:
  ///   - width: how many may be inside at once.
  ///   - patience: those who have been inside for this long count no more.
  init(width: Int, patience: Duration) {
    free = width
    self.patience = patience
  }

  /// Runs `body` when it is its turn.
  ///
  /// - Throws: `CancellationError`, what `body` throws.
  func pass<R: Sendable>(_ body: @LoopActor () async throws -> R) async throws -> R {
    try await enter()
    var isInside = true
    let departure = Deadline {
      isInside = false
      self.leave()
    }
    departure.start(patience)
    defer {
      departure.close()
      if isInside { leave() }
    }
    return try await body()
  }

  private func enter() async throws {
    if free > 0 {
      free -= 1
      return
    }
    let turn = PendingRequest { _ in true }
    waiting.append(turn)
    do {
      try await turn.end()
    } catch {
      // Cancelled; the turn may have come at the same time, and is another's then.
      if let index = waiting.firstIndex(where: { $0 === turn }) { waiting.remove(at: index) } else { leave() }
      throw error
    }
  }

  private func leave() {
    if let next = waiting.popFirst() { next.finish(.success(())) } else { free += 1 }
  }
}
