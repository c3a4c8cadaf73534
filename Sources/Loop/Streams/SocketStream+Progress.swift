import CUV
import Glibc
import Bytes

extension SocketStream {
  /// nil while nothing waits for the peer, here or in the system's buffer, else how many bytes of all that was written the
  /// peer has acknowledged.
  public var outputProgress: Int? {
    let unacknowledged = unacknowledgedCount
    guard isOpen, output.queuedCount > 0 || unacknowledged > 0 else { return nil }
    let waiting = output.waiting.reduce(0) { $0 + $1.count }
    let inFlight = Int(uv_stream_get_write_queue_size(stream))
    return output.totalCount &- waiting &- inFlight &- unacknowledged
  }

  /// Bytes that the system holds for the peer. It takes more from us only when a good part of them has gone, which can
  /// take a slow peer minutes.
  private var unacknowledgedCount: Int {
    guard let descriptor else { return 0 }
    return Int(max(cuv_unacknowledged(descriptor), 0))
  }

  /// Breaks the connection off, and throws away what the peer has not taken: the system keeps none of it either.
  public func reset() {
    if let descriptor {
      var option = linger(l_onoff: 1, l_linger: 0)
      setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }
    startClosing()
  }
}
