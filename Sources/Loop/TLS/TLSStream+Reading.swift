import Bytes

/// The state of a TLS stream's reading half, without the bytes.
@LoopActor
final class TLSInput {
  /// Tasks that wait for bytes.
  let readers = WaitQueue()
  let watchers = WaitQueue()
  /// The handshake is done: what the socket receives are the peer's bytes.
  var isEncrypted = false
  var events = InputEvents()
  /// The peer has sent all that it will send.
  var hasEnded = false
  /// The count that `prepare` announced, until as many bytes are there; else zero. No task is woken before.
  var preparedTotal = 0

  /// The count in `inbound` at which decrypting stops until a task asks for more: the plain bytes of a full block of records.
  /// More would have to be moved into another block.
  var limit: Int { max(preparedTotal, StreamLimits.readAhead - TLSEngine.recordLength) }

  func wakeAll() {
    readers.wakeAll()
    watchers.wakeAll()
  }
}

extension TLSStream {
  /// Waits until more bytes are in `inbound`; false after the peer's close_notify.
  public func fill() async throws -> Bool {
    try Task.checkCancellation()
    while true {
      if input.events.take(isEmpty: inbound.isEmpty) { return true }
      if engine.hasInput, failure == nil {
        // What had no room before.
        receive(isAskedFor: true)
        continue
      }
      try throwIfBroken()
      if input.hasEnded { return false }
      transport.startReading()
      try await input.readers.wait {
        input.events.areAny || input.hasEnded || failure != nil || isClosed
      }
    }
  }

  /// Makes `fill` return true although no bytes arrived, now or at its next call.
  public func wakeReader() {
    input.events.isWoken = true
    input.readers.wakeAll()
  }

  /// Reserves memory for `count` bytes.
  public func prepare(forTotal count: Int) {
    guard count > inbound.count else { return }
    input.preparedTotal = count
    inbound.reserve(count - inbound.count)
  }

  /// Stops reading until a task waits for more.
  public func pauseInput() { transport.pauseInput() }

  /// Waits until the peer has closed or broken the connection.
  public func untilPeerIsGone() async {
    if !isFull, !isPeerGone, !isClosed { transport.startReading() }
    // A cancelled task returns, too.
    try? await input.watchers.wait { isClosed || isPeerGone || isFull }
  }

  /// True once the end of the peer's bytes, or an error, was read.
  public var isPeerGone: Bool { input.hasEnded || failure != nil || transport.isPeerGone }

  private var isFull: Bool { inbound.count >= input.limit }

  /// True if there is enough and no task waits for more.
  private var isSated: Bool { isFull && input.readers.isEmpty }

  /// The socket has received something, or has ended.
  func didReceive() {
    guard input.isEncrypted else { return input.readers.wakeAll() }
    receive(isAskedFor: !input.readers.isEmpty)
  }

  /// Decrypts what the socket has received.
  ///
  /// - Parameter isAskedFor: a task waits for more than there is, however much that may be.
  private func receive(isAskedFor: Bool) {
    guard failure == nil, !isClosed, !input.hasEnded else { return transport.inbound.discardAll() }
    let count = inbound.count
    do {
      engine.feed(&transport.inbound)
      try engine.decrypt(into: &inbound, upTo: isAskedFor ? count + input.limit : input.limit)
      // Answers of the protocol itself, such as to a KeyUpdate (RFC 8446, section 4.6.3).
      try sendRecords()
      try noticeEnd()
    } catch {
      return fail(error)
    }
    if inbound.count >= input.preparedTotal {
      input.preparedTotal = 0
      if inbound.count > count { input.events.haveBytes = true }
    }
    if input.events.haveBytes || input.hasEnded { input.readers.wakeAll() }
    if input.hasEnded || isFull { input.watchers.wakeAll() }
    // At once: libuv reads on for as long as the socket has bytes.
    if isSated { transport.pauseInput() }
  }

  /// A FIN without close_notify may hide that bytes are missing (RFC 8446, section 6.1). A client's request shows that itself,
  /// so a server takes it for the end (RFC 9112, 9.8).
  private func noticeEnd() throws {
    if engine.hasEnded { input.hasEnded = true }
    guard !input.hasEnded, !engine.hasInput, let ending = transport.input.ending else { return }
    if ending != .endOfFile { throw ending }
    guard engine.isServer else { throw TLSError.truncated }
    input.hasEnded = true
  }
}

extension ByteBuffer {
  fileprivate mutating func discardAll() { discard(count) }
}
