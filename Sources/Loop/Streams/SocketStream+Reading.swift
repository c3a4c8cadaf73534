import CUV
import Glibc
import Bytes

/// What the reader of a stream has not been told yet.
struct InputEvents {
  /// Bytes have arrived since `fill` last returned.
  var haveBytes = false
  /// `fill` is to return although nothing came.
  var isWoken = false

  /// True if `fill` need not wait.
  var areAny: Bool { haveBytes || isWoken }

  /// Whether `fill` returns now; the reader knows of all of them then.
  ///
  /// - Parameter isEmpty: somebody has taken the bytes meanwhile.
  mutating func take(isEmpty: Bool) -> Bool {
    defer { self = InputEvents() }
    return isWoken || (haveBytes && !isEmpty)
  }
}

/// The state of a stream's reading half, without the bytes.
@LoopActor
final class InputState {
  /// Tasks that wait for bytes. A selector replaces it by its own.
  var readers = WaitQueue()
  let watchers = WaitQueue()
  /// A TLS stream over this one takes the bytes itself; called whenever some have come, and at the end.
  var observer: (@LoopActor () -> Void)?
  var isReading = false
  var events = InputEvents()
  /// Why the stream has ended; `endOfFile` for an orderly end.
  var ending: UVError?
  /// The count that `prepare` announced, until as many bytes are there; else zero. No task is woken before.
  var preparedTotal = 0
  var readSize = StreamLimits.smallestRead
  /// The end of this turn stops reading, unless a task waits for more by then.
  var isStopping = false
  /// Keeps the memory of a long message for the next one, until `cacheExpiry`.
  private var cache: BlockCache?
  private var cacheExpiry: Deadline?
  /// How long memory is kept after a message was announced. Code that shows several large results does so within seconds;
  /// after that others need the memory.
  private static let cachingTime: Duration = .seconds(5)

  /// The count in `inbound` at which reading stops until a task asks for more.
  var readAhead: Int { max(preparedTotal, StreamLimits.readAhead) }

  func wakeAll() {
    readers.wakeAll()
    watchers.wakeAll()
  }

  /// Keeps the memory of the long message that comes now for the one after it.
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
      if input.events.take(isEmpty: inbound.isEmpty) { return true }
      guard isOpen else { throw UVError.cancelled }
      if let ending = input.ending {
        if ending == .endOfFile { return false }
        throw ending
      }
      startReading()
      try await input.readers.wait { input.events.areAny || input.ending != nil || !isOpen }
    }
  }

  /// Makes `fill` return true although no bytes arrived, now or at its next call, because another event needs its
  /// caller, such as a time-out.
  public func wakeReader() {
    input.events.isWoken = true
    input.readers.wakeAll()
  }

  /// Reserves memory for `count` bytes, and reads as many.
  public func prepare(forTotal count: Int) {
    guard count > inbound.count else { return }
    input.preparedTotal = count
    if count >= BlockCache.smallestLong { input.keepLongBlock() }
    inbound.reserve(count - inbound.count)
  }

  /// Stops reading until a task waits for more.
  public func pauseInput() {
    if isOpen && input.isReading { stopReading() }
  }

  /// True once no more bytes will come. Those that came before may still be in `inbound`.
  public var isInputAtEnd: Bool { input.ending != nil || !isOpen }

  /// True once the end of the peer's bytes, or an error, was read.
  public var isPeerGone: Bool { input.ending != nil || output.failure != nil }

  /// True if the peer has closed without having read all that was written. A socket that is closed with unread bytes resets
  /// the connection; an orderly end means that there were none (RFC 1122, section 4.2.2.13; Linux does the same for Unix
  /// sockets).
  public var hasLostOutput: Bool {
    output.failure != nil || input.ending.map { $0 != .endOfFile } ?? false
  }

  /// Waits until the peer has closed or broken the connection.
  public func untilPeerIsGone() async {
    if !isFull { startReading() }
    // A cancelled task returns, too.
    try? await input.watchers.wait { !isOpen || isPeerGone || isFull }
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

  /// True if there is enough and no task waits for more.
  private var isSated: Bool { isFull && input.readers.isEmpty }

  /// The memory for libuv's next read; none when there is enough. It is allocated only now that the socket is readable.
  private func freeTail() -> uv_buf_t {
    if isSated { return uv_buf_init(nil, 0) }
    // Prepared memory is filled to its end, so that a large frame is not moved. A small rest of other memory is not worth a
    // system call.
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
    if let observer = input.observer { return observer() }
    // A reader that has announced more cannot begin with less.
    guard inbound.count >= input.preparedTotal else { return }
    input.preparedTotal = 0
    input.events.haveBytes = true
    input.readers.wakeAll()
    if isFull { pauseReading() }
  }

  /// Stops reading unless a reader takes some, or waits for more, in this turn. Stopping and beginning again would be three
  /// calls to epoll for each 256 KiB of an upload.
  private func pauseReading() {
    input.watchers.wakeAll()
    guard !input.isStopping else { return }
    input.isStopping = true
    EventLoop.shared.atEndOfTurn {
      self.input.isStopping = false
      if self.isOpen && self.isSated { self.stopReading() }
    }
  }

  /// Doubles the size after a full read and halves it after a small one: small requests stay cheap, uploads fast.
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
    // libuv reports a reset that arrives together with bytes as an orderly end; SO_ERROR has the reset.
    input.ending = error == .endOfFile ? pendingError ?? error : error
    stopReading()
    input.wakeAll()
    input.observer?()
  }

  private var pendingError: UVError? {
    guard let descriptor else { return nil }
    var code: CInt = 0
    var size = socklen_t(MemoryLayout<CInt>.size)
    guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) == 0, code > 0 else { return nil }
    return UVError(systemError: code)
  }
}
