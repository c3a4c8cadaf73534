import Glibc

@testable import Loop

/// Holds all of libuv's threads, so that what is queued for them waits, and lets them go one by one.
@LoopActor
final class PoolPlug {
  private let ends: (read: CInt, write: CInt)
  private var jobs: [Pending<Void>] = []

  init() throws {
    var ends: [CInt] = [-1, -1]
    _ = try retrying { pipe(&ends) }
    let read = ends[0]
    self.ends = (read, ends[1])
    for _ in 0..<4 {
      jobs.append(
        Pending {
          var byte: UInt8 = 0
          _ = Glibc.read(read, &byte, 1)
        })
    }
  }

  /// Lets one thread go, which is then the only one for all that waits.
  func releaseOne() { release(1) }

  /// Lets all threads go and waits until they are free.
  func remove() async {
    release(jobs.count)
    for job in jobs { _ = try? await job.valueRegardless() }
    close(ends.read)
    close(ends.write)
  }

  private func release(_ count: Int) {
    _ = Glibc.write(ends.write, [UInt8](repeating: 0, count: count), count)
  }
}
