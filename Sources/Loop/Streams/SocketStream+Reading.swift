import CUV
import Glibc
import Bytes

/// The reading half of a stream, apart from the bytes themselves.
@LoopActor
final class InputState {
  /// Who waits for bytes; a selector puts its own in place.
  var readers = WaitQueue()
  let watchers = WaitQueue()
  var isReading = false
  /// Bytes came in since `fill` last returned.
  var hasNews = false
  /// `fill` is to return although nothing came.
  var isWoken = false
  /// Why nothing more will come; `endOfFile` for an orderly end.
  var ending: UVError?
  /// What `prepare` asked for, until it is there; else zero. Nobody is woken before.
  var preparedTotal = 0
  var readSize = StreamLimits.smallestRead
  /// The end of the turn will stop reading if nobody wants more by then.
  var isStopping = false
  /// Bytes that are read before anybody asks for them.
  var readAheadLimit = StreamLimits.readAhead
  /// Where a long message was announced: keeps its memory for the next one until `cacheExpiry`.
  private var cache: BlockCache?
  private var cacheExpiry: Deadline?
  /// How long after a message was announced its memory is kept. A client that shows large results one after the other does
  /// so within seconds; in between others need the memory.
  private static let cachingTime: Duration = .seconds(5)

  /// Where reading stops until somebody asks for more.
  var readAhead: Int { max(preparedTotal, readAheadLimit) }

  func wakeAll() {
    readers.wakeAll()
    watchers.wakeAll()
  }

  /// Keeps the memory of a long message that is about to come for the one after it.
  func keepLongBlock() {
    let expiry = cacheExpiry ?? Deadline { [weak self] in self?.cache = nil }
    cacheExpiry = expiry
    cache = cache ?? BlockCache(.longMessage)
    expiry.start(Self.cachingTime)
  }

  func close() {
    cacheExpiry?.close()
    cache = nil
    wakeAll()
  }
}

extension SocketStream {
  /// Waits until more bytes are in `inbound`; false at the end of the stream.
  public func fill() async throws -> Bool {
    try Task.checkCancellation()
    while true {
      let hasNews = input.isWoken || (input.hasNews && !inbound.isEmpty)
      input.hasNews = false
      input.isWoken = false
      if hasNews { return true }
      guard isOpen else { throw UVError.cancelled }
      if let ending = input.ending {
        if ending == .endOfFile { return false }
        throw ending
      }
      startReading()
      try await input.readers.wait { input.hasNews || input.isWoken || input.ending != nil || !isOpen }
    }
  }

  /// Lets `fill` return true although nothing came, at once or the next time: something else has happened that its caller
  /// looks at, such as a time-out.
  public func wakeReader() {
    input.isWoken = true
    input.readers.wakeAll()
  }

  /// Makes room for `count` bytes in one run, and reads that far.
  public func prepare(forTotal count: Int) {
    guard count > inbound.count else { return }
    input.preparedTotal = count
    if count >= BlockCache.smallestLong { input.keepLongBlock() }
    inbound.reserve(count - inbound.count)
  }

  /// Reads nothing more until somebody waits for it.
  public func pauseInput() {
    if isOpen && input.isReading { stopReading() }
  }

  /// True when nothing more will come; what came before is in `inbound`.
  public var isInputAtEnd: Bool { input.ending != nil || !isOpen }

  /// True once the peer's end, or an error, has been seen.
  public var isPeerGone: Bool { input.ending != nil || output.failure != nil }

  /// True where the peer has gone without having read all that was written: whoever closes a socket with bytes unread
  /// resets the connection, and an orderly end says that there were none (RFC 1122, section 4.2.2.13; Linux does the same
  /// for Unix sockets).
  public var hasLostOutput: Bool {
    output.failure != nil || input.ending.map { $0 != .endOfFile } ?? false
  }

  /// Waits until the peer has closed or broken the connection.
  public func untilPeerIsGone() async {
    if !isFull { startReading() }
    // A task that is cancelled just returns.
    try? await input.watchers.wait { !isOpen || isPeerGone || isFull }
  }

  /// Reads whatever comes from now on, however much it is and whether anybody asks for it or not: for peers that throw
  /// away what does not go out.
  public func readWithoutLimit() {
    input.readAheadLimit = .max
    startReading()
  }

  func startReading() {
    guard isOpen, !input.isReading, input.ending == nil else { return }
    input.isReading = true
    let status = uv_read_start(
      stream,
      { handle, _, buffer in
        guard let owner = Handle.owner(handle?.pointee.data, as: SocketStream.self) else { return }
        nonisolated(unsafe) let buffer = buffer
        LoopActor.enter { buffer?.pointee = owner.freeTail() }
      },
      { handle, count, _ in
        guard let owner = Handle.owner(handle?.pointee.data, as: SocketStream.self) else { return }
        LoopActor.enter { owner.didRead(count) }
      })
    if status < 0 { end(with: UVError(rawValue: status)) }
  }

  private var isFull: Bool { inbound.count >= input.readAhead }

  /// True where more would be read for nobody.
  private var isSated: Bool { isFull && input.readers.isEmpty }

  /// Where libuv may read to; nowhere when there is enough. Memory comes only now, when the socket is readable.
  private func freeTail() -> uv_buf_t {
    if isSated { return uv_buf_init(nil, 0) }
    // Prepared memory is filled to its end, so that a large frame is not moved; a small rest of other memory is not
    // worth a system call.
    let leastTail = inbound.count < input.preparedTotal ? 1 : StreamLimits.smallestRead / 4
    if inbound.withFreeTail({ $0.count < leastTail }) { inbound.reserve(input.readSize) }
    return inbound.withFreeTail { tail in
      uv_buf_init(tail.baseAddress?.assumingMemoryBound(to: CChar.self), UInt32(clamping: tail.count))
    }
  }

  private func didRead(_ count: Int) {
    guard count > 0 else {
      inbound.releaseIfEmpty()
      if count == UV_ENOBUFS.rawValue {
        pauseReading()
      } else if count < 0 {
        end(with: UVError(rawValue: CInt(clamping: count)))
      }
      return
    }
    adaptReadSize(to: count)
    inbound.commit(count)
    if quickAcknowledge, let descriptor {
      setSocketOption(TCP_QUICKACK, at: CInt(IPPROTO_TCP), of: descriptor, to: 1)
    }
    // Who has prepared for more can begin with nothing less.
    guard inbound.count >= input.preparedTotal else { return }
    input.preparedTotal = 0
    input.hasNews = true
    input.readers.wakeAll()
    if isFull { pauseReading() }
  }

  /// Stops reading unless a reader takes some, or wants more, in this turn: to stop and to begin again is three calls to
  /// epoll, for each 256 KiB of an upload.
  private func pauseReading() {
    input.watchers.wakeAll()
    guard !input.isStopping else { return }
    input.isStopping = true
    EventLoop.shared.atEndOfTurn {
      self.input.isStopping = false
      if self.isOpen && self.isSated { self.stopReading() }
    }
  }

  /// A full read asks for more the next time, a small one for less: idle requests stay cheap, uploads fast.
  private func adaptReadSize(to count: Int) {
    if count >= input.readSize {
      input.readSize = min(input.readSize * 2, StreamLimits.largestRead)
    } else if count < input.readSize / 4 {
      input.readSize = max(input.readSize / 2, StreamLimits.smallestRead)
    }
  }

  private func stopReading() {
    input.isReading = false
    uv_read_stop(stream)
  }

  private func end(with error: UVError) {
    // Where a reset arrives together with bytes libuv calls it an orderly end; the socket knows better.
    input.ending = error == .endOfFile ? pendingError ?? error : error
    stopReading()
    input.wakeAll()
  }

  private var pendingError: UVError? {
    guard let descriptor else { return nil }
    var code: CInt = 0
    var size = socklen_t(MemoryLayout<CInt>.size)
    guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) == 0, code > 0 else { return nil }
    return UVError(systemError: code)
  }
}
