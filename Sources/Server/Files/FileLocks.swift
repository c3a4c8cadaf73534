import Loop
import Workspace

/// A mutex for each file that is written under a condition: a write waits for those of the same file only.
@LoopActor
final class FileLocks {
  private var mutexes: [FilePlace: AsyncMutex] = [:]

  nonisolated init() {}

  /// The number of locked files.
  var count: Int { mutexes.count }

  /// Locks the file at `place`; `unlock` must follow.
  ///
  /// - Throws: `CancellationError`; the file is not locked then.
  func lock(_ place: FilePlace) async throws {
    let mutex = mutexes[place] ?? AsyncMutex()
    mutexes[place] = mutex
    defer { removeIfFree(place) }
    try await mutex.lock()
  }

  /// Unlocks the file for the next waiter.
  func unlock(_ place: FilePlace) {
    mutexes[place]?.unlock()
    removeIfFree(place)
  }

  private func removeIfFree(_ place: FilePlace) {
    if mutexes[place]?.isLocked == false { mutexes[place] = nil }
  }
}
