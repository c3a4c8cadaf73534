import CUV
import Glibc
import Synchronization

/// Writes log lines to a descriptor, without blocking.
///
/// If nobody reads the pipe, the program must not stop: lines are queued up to a limit, and written with the next line
/// that finds room. Beyond the limit they are dropped, and a line reports how many.
public final class LogStream: Sendable {
  /// The program's standard error.
  public static let standardError = LogStream(descriptor: 2)

  /// The limit of queued bytes.
  static let limit = 256 << 10
  /// A pipe that poll(2) reports as writable accepts this many bytes without blocking (pipe(7): PIPE_BUF).
  private static let atomicLength = 4096

  private struct Queue {
    var waiting: [UInt8] = []
    var dropped = 0
  }

  private let descriptor: CInt
  private let queue = Mutex(Queue())

  /// Writes to `descriptor`, which stays open.
  init(descriptor: CInt) { self.descriptor = descriptor }

  /// The number of queued bytes.
  var waitingCount: Int { queue.withLock { $0.waiting.count } }

  /// Writes a line, including its newline. May be called on any thread.
  public func write(_ line: String) {
    queue.withLock { queue in
      if queue.dropped > 0, sendWaiting(&queue) {
        queue.waiting = Array("(\(queue.dropped) lines were dropped here: nobody read the log)\n".utf8)
        queue.dropped = 0
      }
      if queue.dropped == 0, queue.waiting.count + line.utf8.count <= Self.limit {
        queue.waiting += line.utf8
        _ = sendWaiting(&queue)
      } else {
        queue.dropped += 1
      }
    }
  }

  /// Writes queued bytes; true if none are left.
  private func sendWaiting(_ queue: inout Queue) -> Bool {
    var sent = 0
    while sent < queue.waiting.count, isWritable {
      let written = queue.waiting.withUnsafeBytes { bytes in
        Glibc.write(
          descriptor, bytes.baseAddress?.advanced(by: sent), min(bytes.count - sent, Self.atomicLength))
      }
      if written > 0 {
        sent += written
      } else if errno == EAGAIN {
        break
      } else if errno != EINTR {
        // The reader is gone, and there is nowhere to report that.
        sent = queue.waiting.count
      }
    }
    queue.waiting.removeFirst(sent)
    return queue.waiting.isEmpty
  }

  private var isWritable: Bool {
    var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    return poll(&state, 1, 0) > 0
  }
}

/// A stream that the program was started with. Writing blocks: it is for the few lines that people read.
public enum StandardStream: CInt, Sendable {
  /// What the program says.
  case output = 1
  /// What the program complains about.
  case error = 2

  /// Writes all of `text`; one that nobody reads any more is not told.
  public func write(_ text: String) {
    var rest = Substring(text).utf8
    while !rest.isEmpty {
      let written =
        rest.withContiguousStorageIfAvailable { Glibc.write(rawValue, $0.baseAddress, $0.count) } ?? -1
      if written > 0 {
        rest = rest.dropFirst(written)
      } else if errno != EINTR {
        return
      }
    }
  }
}
