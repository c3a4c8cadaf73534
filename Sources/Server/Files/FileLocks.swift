import Loop
import Workspace

/// A mutex for each file that is written under a condition: a write waits for those of the same file only.
@LoopActor
final class FileLocks {
  private var mutexes: [FilePlace: AsyncMutex] = [:]

  nonisolated init() {}

  /// How many files are locked.
  var count: Int { mutexes.count }

  /// Waits until nobody else holds the file at `place`; `unlock` must follow.
  ///
  /// - Throws: `CancellationError`; the file is not locked then.
  func lock(_ place: FilePlace) async throws {
    let mutex = mutexes[place] ?? AsyncMutex()
    mutexes[place] = mutex
    defer { removeIfFree(place) }
    try await mutex.lock()
  }

  /// Lets the next one have the file.
  func unlock(_ place: FilePlace) {
    mutexes[place]?.unlock()
    removeIfFree(place)
  }

  private func removeIfFree(_ place: FilePlace) {
    if mutexes[place]?.isLocked == false { mutexes[place] = nil }
  }
}
