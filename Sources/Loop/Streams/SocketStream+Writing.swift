import CUV
import Glibc
public import Bytes

/// The state of a stream's writing half.
@LoopActor
final class OutputState {
  /// Pieces that no system call has seen. They are written at the end of the turn, or when the request in flight is done.
  var waiting: [Bytes] = []
  /// The end of this turn writes what waits.
  var isGathering = false
  /// Pieces that libuv holds pointers to.
  var inFlight: [Bytes] = []
  /// The number of bytes in `waiting` and `inFlight`.
  var queuedCount = 0
  /// The number of bytes written since the stream began.
  var totalCount = 0
  /// What broke the connection; all further writes throw it.
  var failure: UVError?
  let writers = WaitQueue()
  let flushers = WaitQueue()
  /// A TLS stream over this one has more; called whenever there is room, and when the connection broke.
  var observer: (@LoopActor () -> Void)?
  private var request: UnsafeMutablePointer<uv_write_t>?

  /// The one write request of a stream, allocated when the socket first does not take everything.
  var writeRequest: UnsafeMutablePointer<uv_write_t> {
    if let request { return request }
    let made = UnsafeMutablePointer<uv_write_t>.allocate(capacity: 1)
    request = made
    return made
  }

  func releaseRequest() {
    request?.deallocate()
    request = nil
  }

  func wakeAll() {
    writers.wakeAll()
    flushers.wakeAll()
  }
}

extension SocketStream {
  /// Writes the pieces in order; waits only while too much is queued.
  public func write(_ pieces: [Bytes]) async throws {
    try Task.checkCancellation()
    try enqueue(pieces)
    guard output.queuedCount >= StreamLimits.highWater else { return }
    try await output.writers.wait { isBroken || output.queuedCount <= StreamLimits.lowWater }
    try throwIfBroken()
  }

  /// Waits until the operating system has taken all written bytes.
  public func flush() async throws {
    try Task.checkCancellation()
    try await output.flushers.wait { isBroken || output.queuedCount == 0 }
    try throwIfBroken()
  }

  /// Sends FIN behind all written bytes.
  public func shutdownOutput() async throws {
    try await flush()
    guard let descriptor else { throw UVError.cancelled }
    // uv_shutdown would first wait for libuv's queue, which is empty.
    if shutdown(descriptor, CInt(SHUT_WR)) != 0 { throw UVError(systemError: errno) }
  }

  /// How many of all bytes written the peer has acknowledged; nil while nothing waits for the peer, neither here nor in the
  /// system's buffer.
  public var outputProgress: Int? {
    let unacknowledged = unacknowledgedCount
    guard isOpen, output.queuedCount > 0 || unacknowledged > 0 else { return nil }
    let waiting = output.waiting.byteCount
    let inFlight = Int(uv_stream_get_write_queue_size(stream))
    return output.totalCount &- waiting &- inFlight &- unacknowledged
  }

  /// Bytes in the system's buffer. The system takes more from us only when a good part of them has gone, which can take
  /// minutes with a slow peer.
  private var unacknowledgedCount: Int {
    guard let descriptor else { return 0 }
    return Int(max(cuv_unacknowledged(descriptor), 0))
  }

  private var isBroken: Bool { output.failure != nil || !isOpen }

  private func throwIfBroken() throws(UVError) {
    if let failure = output.failure { throw failure }
    // A peer that has broken the connection reads nothing more.
    if let ending = input.ending, ending != .endOfFile { throw ending }
    if !isOpen { throw .cancelled }
  }

  /// Queues the pieces. The writes of one turn of the loop go out in one system call at its end, and wake the peer once.
  /// Many bytes are not held back for that.
  func enqueue(_ pieces: [Bytes]) throws(UVError) {
    try throwIfBroken()
    let count = pieces.byteCount
    output.queuedCount += count
    output.totalCount &+= count
    output.waiting += pieces
    guard output.inFlight.isEmpty else { return }
    if !gathersWrites || output.queuedCount >= StreamLimits.largestGathering
      || output.waiting.count >= StreamLimits.mostPieces
    {
      try sendWaiting()
    } else if !output.isGathering {
      output.isGathering = true
      EventLoop.shared.atEndOfTurn {
        self.output.isGathering = false
        self.sendGathered()
      }
    }
  }

  /// Writes what waits, as far as the socket takes it. If this fails, the next writer throws the error.
  func sendGathered() {
    guard isOpen, output.inFlight.isEmpty else { return }
    try? sendWaiting()
    if output.queuedCount == 0 { output.flushers.wakeAll() }
  }

  private func sendWaiting() throws(UVError) {
    let waiting = exchange(&output.waiting, with: [])
    output.queuedCount -= waiting.byteCount
    try send(waiting)
  }

  /// Tries to write at once; what is left becomes the request in flight.
  private func send(_ pieces: [Bytes]) throws(UVError) {
    let total = pieces.byteCount
    guard total > 0 else { return }
    let status = withBuffers(of: pieces) { uv_try_write(stream, $0.baseAddress, UInt32($0.count)) }
    let written = status == UVError.wouldBlock.rawValue ? 0 : Int(status)
    if written < 0 {
      fail(UVError(rawValue: status))
      throw UVError(rawValue: status)
    }
    guard written < total else { return }
    try submit(pieces.dropping(first: written), count: total - written)
  }

  private func submit(_ pieces: [Bytes], count: Int) throws(UVError) {
    let request = output.writeRequest
    request.pointee.data = Unmanaged.passUnretained(self).toOpaque()
    let status = withBuffers(of: pieces) { buffers in
      uv_write(request, stream, buffers.baseAddress, UInt32(buffers.count)) { request, status in
        guard let data = request?.pointee.data else { return }
        let owner = Unmanaged<SocketStream>.fromOpaque(data).takeRetainedValue()
        LoopActor.enter { owner.didWrite(status) }
      }
    }
    guard status == 0 else {
      fail(UVError(rawValue: status))
      throw UVError(rawValue: status)
    }
    // The request keeps the stream alive, and with it the bytes, until its callback.
    _ = Unmanaged.passRetained(self)
    output.inFlight = pieces
    output.queuedCount += count
  }

  private func didWrite(_ status: CInt) {
    output.queuedCount -= output.inFlight.byteCount
    output.inFlight = []
    guard status == 0 else { return fail(UVError(rawValue: status)) }
    // If this fails, the writers that are woken below, and all later ones, throw the error.
    try? sendWaiting()
    if output.queuedCount <= StreamLimits.lowWater { output.writers.wakeAll() }
    if output.queuedCount == 0 { output.flushers.wakeAll() }
    output.observer?()
  }

  private func fail(_ error: UVError) {
    output.failure = error
    output.waiting = []
    output.queuedCount = 0
    output.wakeAll()
    input.watchers.wakeAll()
    output.observer?()
  }

  /// Lends the pieces as `uv_buf_t`. libuv does not write to them; the cast is there because reads use the same type.
  private func withBuffers(of pieces: [Bytes], _ body: (UnsafeMutableBufferPointer<uv_buf_t>) -> CInt) -> CInt
  {
    withUnsafeTemporaryAllocation(of: uv_buf_t.self, capacity: pieces.count) { buffers in
      for (index, piece) in pieces.enumerated() {
        piece.withUnsafeBytes { bytes in
          buffers[index] = uv_buf_t(
            base: UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: CChar.self)),
            len: bytes.count)
        }
      }
      return body(buffers)
    }
  }
}

extension [Bytes] {
  /// The pieces without their first `count` bytes.
  func dropping(first count: Int) -> [Bytes] {
    var remaining = count
    for (index, piece) in enumerated() {
      if piece.count > remaining {
        return [piece[remaining...]] + self[(index + 1)...].filter { !$0.isEmpty }
      }
      remaining -= piece.count
    }
    return []
  }
}
