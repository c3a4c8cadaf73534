import CUV
import Glibc
import Synchronization

/// Where log lines go: at once, as long as somebody takes them.
///
/// Whoever has started the program with a pipe and does not read it must not stop it: lines wait then, up to a limit, and
/// go out before the next one that finds the pipe read. How many were dropped beyond that is said in their place.
public final class LogStream: Sendable {
  /// What the program says of itself.
  public static let standardError = LogStream(descriptor: 2)

  /// How many bytes may wait.
  static let limit = 256 << 10
  /// So much goes into a pipe without waiting when it is said to be writable (pipe(7): PIPE_BUF).
  private static let atomicLength = 4096

  private struct Backlog {
    var waiting: [UInt8] = []
    var dropped = 0
  }

  private let descriptor: CInt
  private let backlog = Mutex(Backlog())

  /// Writes to a descriptor that stays open.
  init(descriptor: CInt) { self.descriptor = descriptor }

  /// How many bytes wait.
  var waitingCount: Int { backlog.withLock { $0.waiting.count } }

  /// Writes a line, its newline included. From any thread.
  public func write(_ line: String) {
    backlog.withLock { backlog in
      if backlog.dropped > 0, sendWaiting(&backlog) {
        backlog.waiting = Array("(\(backlog.dropped) lines are missing here: nobody read the log)\n".utf8)
        backlog.dropped = 0
      }
      if backlog.dropped == 0, backlog.waiting.count + line.utf8.count <= Self.limit {
        backlog.waiting += line.utf8
        _ = sendWaiting(&backlog)
      } else {
        backlog.dropped += 1
      }
    }
  }

  /// True where nothing waits any more.
  private func sendWaiting(_ backlog: inout Backlog) -> Bool {
    var sent = 0
    while sent < backlog.waiting.count, isWritable {
      let written = backlog.waiting.withUnsafeBytes { bytes in
        Glibc.write(
          descriptor, bytes.baseAddress?.advanced(by: sent), min(bytes.count - sent, Self.atomicLength))
      }
      if written > 0 {
        sent += written
      } else if errno == EAGAIN {
        break
      } else if errno != EINTR {
        // Nobody reads it any more, and nobody can be told.
        sent = backlog.waiting.count
      }
    }
    backlog.waiting.removeFirst(sent)
    return backlog.waiting.isEmpty
  }

  private var isWritable: Bool {
    var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    return poll(&state, 1, 0) > 0
  }
}
