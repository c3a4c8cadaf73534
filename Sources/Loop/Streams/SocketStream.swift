import CUV
import Glibc
public import Bytes

/// A connected socket: TCP, a Unix socket or one end of a pipe to a child process.
@LoopActor
public final class SocketStream: Handle, ByteStream {
  /// Bytes that have arrived and were not taken yet.
  public var inbound = ByteBuffer()

  /// Makes TCP acknowledge each read at once instead of after up to 40 ms (`TCP_QUICKACK`), for peers that use Nagle's
  /// algorithm. The option is not permanent (tcp(7)), so it costs one system call for each read.
  var quickAcknowledge = false

  /// True if the writes of one turn of the loop go out together at its end. False sends each at once, for peers that are to
  /// begin with it while we go on.
  public var gathersWrites = true

  let input = InputState()
  let output = OutputState()

  /// A socket that is not connected yet.
  init(_ kind: SocketKind) {
    let loop = EventLoop.shared.raw
    switch kind {
    case .tcp: super.init(infallible: uv_tcp_t.self) { uv_tcp_init(loop, $0) }
    case .local: super.init(infallible: uv_pipe_t.self) { uv_pipe_init(loop, $0, 0) }
    }
  }

  /// A stream that owns a connected descriptor. If it throws, the descriptor is closed.
  convenience init(_ kind: SocketKind, adopting descriptor: CInt) throws(UVError) {
    self.init(kind)
    let status =
      switch kind {
      case .tcp: uv_tcp_open(pointer(as: uv_tcp_t.self), descriptor)
      case .local: uv_pipe_open(pointer(as: uv_pipe_t.self), descriptor)
      }
    if status < 0 {
      Glibc.close(descriptor)
      startClosing()
      throw UVError(rawValue: status)
    }
  }

  /// Creates a named pipe (mkfifo(3)) that only our user can open, and reads what others write to it. The stream ends when
  /// all writers have closed it. The caller removes the name.
  ///
  /// - Throws: `UVError.exists` where the name is taken.
  public static func makeFIFO(_ path: String) throws(UVError) -> SocketStream {
    _ = try retrying { mkfifo(path, 0o600) }
    // O_NONBLOCK opens it without waiting for a writer. A pipe that had no writer yet is not at its end.
    let number = try retrying { Glibc.open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) }
    return try SocketStream(.local, adopting: number)
  }

  /// The handle as libuv's streams have it.
  var stream: UnsafeMutablePointer<uv_stream_t> { pointer(as: uv_stream_t.self) }

  /// The socket's descriptor, or nil before it has one and after it was closed.
  var descriptor: CInt? {
    var number: uv_os_fd_t = -1
    guard isOpen, uv_fileno(pointer(as: uv_handle_t.self), &number) == 0 else { return nil }
    return number
  }

  // MARK: Closing

  // Closing first offers the socket what this turn has written, as if nothing were gathered.

  /// Closes the stream and waits until its resources are free.
  public func close() async {
    sendGathered()
    await closeAndWait()
  }

  /// Begins to close, without waiting.
  public func abort() {
    sendGathered()
    startClosing()
  }

  /// Closes with a reset: discards what the peer has not taken, in the system's buffer too (`SO_LINGER` of zero).
  public func reset() {
    if let descriptor {
      var option = linger(l_onoff: 1, l_linger: 0)
      setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }
    startClosing()
  }

  override func willClose() {
    input.observer = nil
    output.observer = nil
    input.close()
    output.wakeAll()
  }

  override func didClose() { output.releaseRequest() }
}

/// The type of a socket's libuv handle.
enum SocketKind {
  case tcp
  /// A Unix socket or a pipe.
  case local
}
