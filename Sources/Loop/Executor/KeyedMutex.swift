/// Mutual exclusion by key: one task at a time for each key, and none waits for the tasks of other keys.
@LoopActor
public final class KeyedMutex<Key: Hashable & Sendable> {
  /// What there is for a key that somebody holds or waits for.
  private final class Lock {
    var isHeld = false
    var users = 0
    let waiting = WaitQueue()

    @LoopActor init() {}
  }

  private var locks: [Key: Lock] = [:]

  /// One that nobody holds.
  public nonisolated init() {}

  /// How many keys are held or waited for.
  var count: Int { locks.count }

  /// Waits until nobody else holds `key`; `unlock` must follow.
  /// - Throws: `CancellationError`, with nothing held.
  public func lock(_ key: Key) async throws {
    let lock = locks[key] ?? Lock()
    locks[key] = lock
    lock.users += 1
    do {
      try await lock.waiting.wait { !lock.isHeld }
    } catch {
      leave(key, lock)
      throw error
    }
    lock.isHeld = true
  }

  /// Lets the next one have `key`.
  public func unlock(_ key: Key) {
    guard let lock = locks[key] else { return }
    lock.isHeld = false
    lock.waiting.wakeFirst()
    leave(key, lock)
  }

  private func leave(_ key: Key, _ lock: Lock) {
    lock.users -= 1
    if lock.users == 0 { locks[key] = nil }
  }
}
