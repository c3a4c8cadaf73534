public import Bytes

/// A secure connection over another one.
///
/// It owns the one beneath, which nobody else reads, writes or closes any more.
@LoopActor
public final class TLSStream: ByteStream {
  /// What has arrived, decrypted, and was not taken yet.
  public var inbound = ByteBuffer()

  let transport: any ByteStream
  private let engine: TLSEngine
  /// What broke the connection; all that is tried later throws it too.
  private var failure: TLSError?
  private var isClosed = false
  private let sender: TLSSender

  init(_ engine: TLSEngine, over transport: any ByteStream) {
    self.engine = engine
    self.transport = transport
    self.sender = TLSSender(engine, over: transport)
  }

  /// Makes a connection secure and makes sure that `serverName`, a name or an IP address, is at its other end.
  /// - Throws: `TLSError`; the error of the connection; `CancellationError`. `transport` is closed then.
  public static func client(
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
        throw TLSError.handshakeFailed("the other side closed the connection")
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
      // The peer learns why, if it listens.
      sender.sendLast()
      throw error
    }
  }

  // MARK: Reading

  /// Waits until more bytes are in `inbound`; false when the peer has said that this was all.
  public func fill() async throws -> Bool {
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
    // Answers of the protocol itself, such as to a change of keys.
    sender.start()
    return inbound.count > count
  }

  /// Makes room for `count` bytes in one run.
  public func prepare(forTotal count: Int) {
    if count > inbound.count { inbound.reserve(count - inbound.count) }
  }

  /// Reads nothing more until somebody waits for it.
  public func pauseInput() { transport.pauseInput() }

  /// Waits until the peer has closed or broken the connection.
  public func untilPeerIsGone() async {
    if !engine.hasEnded && !isClosed { await transport.untilPeerIsGone() }
  }

  /// True once the peer's end, or an error, has been seen.
  public var isPeerGone: Bool { engine.hasEnded || failure != nil || transport.isPeerGone }

  private func throwIfBroken() throws {
    if let failure { throw failure }
    if isClosed { throw UVError.cancelled }
  }

  private func fail(_ error: TLSError) -> TLSError {
    failure = error
    return error
  }

  // MARK: Writing

  /// Writes the pieces in order, small ones together in one record.
  public func write(_ pieces: [Bytes]) async throws {
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

  /// nil while nothing waits for the peer, else a count that grows whenever it takes some of what was written.
  public var outputProgress: Int? { transport.outputProgress }

  /// Waits until everything written has been handed to the kernel.
  public func flush() async throws {
    try throwIfBroken()
    try await sender.wait(forLessThan: 1)
    try await transport.flush()
  }

  /// Says that nothing more will come from us.
  public func shutdownOutput() async throws {
    try throwIfBroken()
    engine.end()
    sender.start()
    try await sender.wait(forLessThan: 1)
    try await transport.shutdownOutput()
  }

  // MARK: Closing

  /// Ends the connection at once and waits until its resources are free. The peer is told, if it reads.
  public func close() async {
    sendCloseNotify()
    await transport.close()
  }

  /// Begins to close, without waiting.
  public func abort() {
    sendCloseNotify()
    transport.abort()
  }

  /// Begins to close, and throws away what waits for the peer.
  public func reset() {
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
  /// Neighbours that fit into one record together become one: a record costs 22 bytes and its own cipher run.
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
