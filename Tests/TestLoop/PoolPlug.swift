import Glibc
public import Loop

/// Occupies all of libuv's threads, so that queued work waits, and frees them one by one.
@LoopActor
public final class PoolPlug {
  private let ends: (read: CInt, write: CInt)
  private var jobs: [Pending<Void>] = []

  /// Occupies the threads as soon as they are free.
  /// - Throws: `UVError` if the process has no descriptors left.
  public init() throws(UVError) {
    var ends: [CInt] = [-1, -1]
    if pipe(&ends) != 0 { throw .tooManyOpenFiles }
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

  /// Frees one thread, which then does the queued work.
  public func releaseOne() { release(1) }

  /// Frees all threads and waits until they are free.
  public func remove() async {
    release(jobs.count)
    for job in jobs { _ = try? await job.valueRegardless() }
    close(ends.read)
    close(ends.write)
  }

  private func release(_ count: Int) {
    _ = Glibc.write(ends.write, [UInt8](repeating: 0, count: count), count)
  }
}
