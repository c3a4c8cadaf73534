import CUV
import Glibc

extension SocketStream {
  /// Connects to a host by name or IP address. Tries its addresses in turn until one accepts.
  ///
  /// - Parameter timeout: for all of it, with the name resolution. An address that does not answer gets an equal share, so
  ///   that there is time for the others.
  /// - Throws: `UVError.timedOut`, the error of the last address; `CancellationError`.
  public static func connect(
    host: String, port: UInt16, timeout: Duration, quickAcknowledge: Bool = false
  ) async throws -> SocketStream {
    let stream = try await limited(to: timeout) {
      let end = EventLoop.now &+ timeout.nanoseconds
      let addresses = try await Resolver.addresses(of: host, port: port)
      return try await connect(toOneOf: addresses, before: end)
    }
    stream.quickAcknowledge = quickAcknowledge
    return stream
  }

  /// Connects to a Unix socket.
  public static func connect(path: String, timeout: Duration) async throws -> SocketStream {
    _ = try NativeAddress(path: path)
    return try await limited(to: timeout) {
      try await connect(.local) { request, stream in
        stream.withMemoryRebound(to: uv_pipe_t.self, capacity: 1) {
          uv_pipe_connect(request, $0, path, ConnectRequest.callback)
        }
        return 0
      }
    }
  }

  private static func limited(
    to timeout: Duration, _ body: @escaping @LoopActor () async throws -> SocketStream
  ) async throws -> SocketStream {
    do {
      return try await withDeadline(timeout, body)
    } catch is DeadlineExceeded {
      throw UVError.timedOut
    }
  }

  private static func connect(
    toOneOf addresses: [NativeAddress], before end: UInt64
  ) async throws -> SocketStream {
    var lastError: any Error = UVError.unknownHost
    for (index, address) in addresses.enumerated() {
      do {
        let others = addresses.count - index - 1
        // The last one has all remaining time, which the caller limits.
        if others == 0 { return try await connect(to: address) }
        let now = EventLoop.now
        let share = (max(end, now) - now) / UInt64(others + 1)
        return try await limited(to: .nanoseconds(Int64(clamping: share))) { try await connect(to: address) }
      } catch is CancellationError {
        throw CancellationError()
      } catch {
        lastError = error
      }
    }
    throw lastError
  }

  private static func connect(to address: NativeAddress) async throws -> SocketStream {
    let stream = try await connect(.tcp) { request, stream in
      stream.withMemoryRebound(to: uv_tcp_t.self, capacity: 1) { tcp in
        address.withSocketAddress { pointer, _ in
          uv_tcp_connect(request, tcp, pointer, ConnectRequest.callback)
        }
      }
    }
    // Small writes go out at once; the stream gathers those of one turn itself.
    uv_tcp_nodelay(stream.pointer(as: uv_tcp_t.self), 1)
    return stream
  }

  private static func connect(
    _ kind: SocketKind,
    begin: (UnsafeMutablePointer<uv_connect_t>, UnsafeMutablePointer<uv_stream_t>) -> CInt
  ) async throws -> SocketStream {
    let stream = SocketStream(kind)
    do {
      let request = try ConnectRequest { begin($0, stream.stream) }
      try await request.done.wait { request.status != nil }
      try checked(request.status ?? 0)
      return stream
    } catch {
      // This also cancels the request.
      await stream.close()
      throw error
    }
  }
}

/// One `uv_connect_t` request. It keeps itself alive until the callback.
@LoopActor
private final class ConnectRequest {
  let done = WaitQueue()
  private(set) var status: CInt?
  private nonisolated(unsafe) let request = UnsafeMutablePointer<uv_connect_t>.allocate(capacity: 1)

  nonisolated static let callback: @convention(c) (UnsafeMutablePointer<uv_connect_t>?, CInt) -> Void = {
    request, status in
    guard let data = request?.pointee.data else { return }
    let owner = Unmanaged<ConnectRequest>.fromOpaque(data).takeRetainedValue()
    LoopActor.enter { owner.finish(status) }
  }

  init(begin: (UnsafeMutablePointer<uv_connect_t>) -> CInt) throws(UVError) {
    request.pointee.data = Unmanaged.passUnretained(self).toOpaque()
    try checked(begin(request))
    _ = Unmanaged.passRetained(self)
  }

  deinit { request.deallocate() }

  private func finish(_ status: CInt) {
    self.status = status
    done.wakeAll()
  }
}

extension SocketStream {
  /// The peer's address; nil for Unix sockets, and once the connection is broken.
  public var peerAddress: SocketAddress? {
    guard isTCP else { return nil }
    return NativeAddress { uv_tcp_getpeername(pointer(as: uv_tcp_t.self), $0, $1) }.flatMap(
      SocketAddress.init)
  }

  /// Our address; nil for Unix sockets.
  var localAddress: SocketAddress? {
    guard isTCP else { return nil }
    return NativeAddress { uv_tcp_getsockname(pointer(as: uv_tcp_t.self), $0, $1) }.flatMap(
      SocketAddress.init)
  }

  private var isTCP: Bool { isOpen && stream.pointee.type == UV_TCP }
}
