import Bytes

/// A TLS connection over another stream, which it owns: no other code reads, writes or closes the transport.
@LoopActor
final class TLSStream: ByteStream {
  /// Decrypted bytes that were not taken yet.
  var inbound = ByteBuffer()

  let transport: any ByteStream
  private let engine: TLSEngine
  /// What broke the connection; all later calls throw it.
  private var failure: TLSError?
  private var isClosed = false
  private let sender: TLSSender

  init(_ engine: TLSEngine, over transport: any ByteStream) {
    self.engine = engine
    self.transport = transport
    self.sender = TLSSender(engine, over: transport)
  }

  /// See `SocketStream.startTLS`.
  static func client(
    over transport: any ByteStream, serverName: String, trust: TLSTrust = .system
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

  func handshake() async throws {
    while try !stepOfHandshake() {
      guard try await transport.fill() else {
        throw TLSError.handshakeFailed("the peer closed the connection")
      }
      engine.feed(transport.inbound.takeAll())
    }
  }

  private func stepOfHandshake() throws(TLSError) -> Bool {
    do {
      let isDone = try engine.handshake()
      sender.start()
      return isDone
    } catch {
      // Sends the alert with the reason.
      sender.sendLast()
      throw error
    }
  }

  // MARK: Reading

  /// Waits until more bytes are in `inbound`; false after the peer's close_notify.
  func fill() async throws -> Bool {
    try Task.checkCancellation()
    while true {
      try throwIfBroken()
      engine.feed(transport.inbound.takeAll())
      if try decrypt() { return true }
      if engine.hasEnded { return false }
      if try await !transport.fill() { throw fail(.truncated) }
    }
  }

  private func decrypt() throws(TLSError) -> Bool {
    let count = inbound.count
    do {
      try engine.decrypt(into: &inbound)
    } catch {
      throw fail(error)
    }
    // Answers of the protocol itself, such as to a KeyUpdate (RFC 8446, section 4.6.3).
    sender.start()
    return inbound.count > count
  }

  /// Reserves memory for `count` bytes.
  func prepare(forTotal count: Int) {
    if count > inbound.count { inbound.reserve(count - inbound.count) }
  }

  /// Stops reading until a task waits for more.
  func pauseInput() { transport.pauseInput() }

  /// Waits until the peer has closed or broken the connection.
  func untilPeerIsGone() async {
    if !engine.hasEnded && !isClosed { await transport.untilPeerIsGone() }
  }

  /// True once the end of the peer's bytes, or an error, was read.
  var isPeerGone: Bool { engine.hasEnded || failure != nil || transport.isPeerGone }

  private func throwIfBroken() throws {
    if let failure { throw failure }
    if isClosed { throw UVError.cancelled }
  }

  private func fail(_ error: TLSError) -> TLSError {
    failure = error
    return error
  }

  // MARK: Writing

  /// Writes the pieces in order, with small neighbours in one record.
  func write(_ pieces: [Bytes]) async throws {
    try Task.checkCancellation()
    try throwIfBroken()
    do {
      for piece in pieces.joiningSmallOnes() { try engine.encrypt(piece) }
    } catch {
      throw fail(error)
    }
    sender.start()
    try await sender.wait(forLessThan: StreamLimits.highWater)
  }

  /// nil while nothing waits for the peer, else a count that grows whenever the peer takes some of it.
  var outputProgress: Int? { transport.outputProgress }

  /// Waits until the operating system has taken all written bytes.
  func flush() async throws {
    try throwIfBroken()
    try await sender.wait(forLessThan: 1)
    try await transport.flush()
  }

  /// Sends close_notify, then FIN.
  func shutdownOutput() async throws {
    try throwIfBroken()
    engine.end()
    sender.start()
    try await sender.wait(forLessThan: 1)
    try await transport.shutdownOutput()
  }

  // MARK: Closing

  /// Closes the connection and waits until its resources are free. Sends close_notify if the socket takes it at once.
  func close() async {
    sendCloseNotify()
    await transport.close()
  }

  /// Begins to close, without waiting.
  func abort() {
    sendCloseNotify()
    transport.abort()
  }

  /// Begins to close, and drops what waits for the peer.
  func reset() {
    isClosed = true
    transport.reset()
  }

  private func sendCloseNotify() {
    guard !isClosed else { return }
    isClosed = true
    guard failure == nil else { return }
    engine.end()
    sender.sendLast()
  }
}

extension [Bytes] {
  /// Joins neighbours that fit into one record: each record costs 22 bytes and a run of the cipher.
  fileprivate func joiningSmallOnes() -> [Bytes] {
    if count <= 1 { return self }
    var joined: [Bytes] = []
    var small = ByteBuffer()
    for piece in self {
      if small.count + piece.count > TLSEngine.recordLength {
        joined.append(small.takeAll())
      }
      if piece.count < TLSEngine.recordLength {
        small.append(piece)
      } else {
        joined.append(piece)
      }
    }
    joined.append(small.takeAll())
    return joined
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
