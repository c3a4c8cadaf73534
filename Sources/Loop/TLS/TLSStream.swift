public import Bytes

/// A TLS connection over a socket, which it owns: no other code reads, writes or closes the socket.
///
/// It has no task of its own. The socket calls it when bytes have come, and when there is room for more; so records leave in
/// the order in which they were encrypted, whichever task is cancelled.
@LoopActor
public final class TLSStream: ByteStream {
  /// Decrypted bytes that were not taken yet.
  public var inbound = ByteBuffer()

  let transport: SocketStream
  let engine: TLSEngine
  let input = TLSInput()
  let output = TLSOutput()
  /// What broke the connection; all later calls throw it.
  private(set) var failure: (any Error)?
  private(set) var isClosed = false
  /// Sends each write at once, as the socket was told to do.
  let gathersWrites: Bool

  init(_ engine: TLSEngine, over transport: SocketStream) {
    self.engine = engine
    self.transport = transport
    gathersWrites = transport.gathersWrites
    // What waits here until the end of the turn would wait there for the end of the next one.
    transport.gathersWrites = false
    // Until the socket begins to close. A weak reference would make each use of this object slower.
    transport.input.observer = { self.didReceive() }
    transport.output.observer = { self.didSend() }
  }

  /// See `SocketStream.startTLS`.
  static func client(
    over transport: SocketStream, serverName: String, trust: TLSTrust = .system
  ) async throws -> TLSStream {
    do {
      let context = try await Pending { () throws(UVError) in
        Result { () throws(TLSError) in try TLSContext.client(trust: trust) }
      }.value().get()
      let stream = TLSStream(try TLSEngine(context, client: serverName), over: transport)
      try await stream.handshake()
      return stream
    } catch {
      transport.abort()
      throw error
    }
  }

  /// The server's side of a connection. `handshake` follows.
  ///
  /// - Throws: `TLSError` where the system has no memory for it.
  public static func server(over transport: SocketStream, _ identity: TLSIdentity) throws(TLSError)
    -> TLSStream
  {
    TLSStream(try TLSEngine(server: identity.context), over: transport)
  }

  /// Does the handshake. Nothing but `close`, `abort` and `reset` is called before it has succeeded.
  ///
  /// - Throws: `TLSError`, `UVError`, `CancellationError`.
  public func handshake() async throws {
    engine.feed(&transport.inbound)
    while try !stepOfHandshake() {
      try throwIfBroken()
      if transport.isInputAtEnd { throw TLSError.handshakeFailed("the peer closed the connection") }
      transport.startReading()
      try await input.readers.wait { isClosed || transport.isInputAtEnd || !transport.inbound.isEmpty }
      engine.feed(&transport.inbound)
    }
    input.isEncrypted = true
    // The peer may have sent more behind its last message of the handshake.
    didReceive()
  }

  private func stepOfHandshake() throws -> Bool {
    // After an error, too: the alert says why.
    defer { try? sendRecords() }
    return try engine.handshake()
  }

  /// Sends what the engine has for the peer.
  func sendRecords() throws(UVError) {
    let records = engine.takeOutput()
    if !records.isEmpty { try transport.enqueue([records]) }
  }

  // MARK: Failures and the end

  func throwIfBroken() throws {
    if let failure { throw failure }
    if isClosed { throw UVError.cancelled }
  }

  func fail(_ error: any Error) {
    guard failure == nil else { return }
    failure = error
    output.drop()
    wakeAll()
  }

  private func wakeAll() {
    input.wakeAll()
    output.wakeAll()
  }

  /// Closes the connection and waits until its resources are free. Sends close_notify if the socket takes it at once.
  public func close() async {
    endAtOnce()
    await transport.close()
  }

  /// Begins to close, without waiting. A server sends no close_notify then: the peer must not take what it has for all.
  public func abort() {
    if engine.isServer { markClosed() } else { endAtOnce() }
    transport.abort()
  }

  /// Begins to close, and drops what waits for the peer.
  public func reset() {
    markClosed()
    transport.reset()
  }

  private func endAtOnce() {
    guard !isClosed else { return }
    encryptWaiting()
    if failure == nil, output.waiting.isEmpty {
      engine.end()
      try? sendRecords()
    }
    markClosed()
  }

  private func markClosed() {
    isClosed = true
    wakeAll()
  }
}

extension SocketStream {
  /// A TLS connection over this one: does the handshake of a client and verifies that the certificate is for `serverName`, a
  /// name or an IP address. From now on only the returned stream is used.
  ///
  /// - Throws: `TLSError`, `UVError`, `CancellationError`. The connection is closed then.
  public func startTLS(serverName: String, trust: TLSTrust = .system) async throws -> any ByteStream {
    try await TLSStream.client(over: self, serverName: serverName, trust: trust)
  }
}
