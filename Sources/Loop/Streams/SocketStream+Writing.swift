import CUV
import Glibc
public import Bytes

/// The writing half of a stream.
@LoopActor
final class OutputState {
  /// What no system call has seen yet; written at the end of the turn, or when the request in flight is done.
  var waiting: [Bytes] = []
  /// The end of the turn will write what waits.
  var isGathering = false
  /// What libuv holds pointers to.
  var inFlight: [Bytes] = []
  /// How many bytes both are.
  var queuedCount = 0
  /// How many bytes were written since the stream began.
  var totalCount = 0
  /// What broke the connection; all further writes throw it.
  var failure: UVError?
  let writers = WaitQueue()
  let flushers = WaitQueue()
  private var request: UnsafeMutablePointer<uv_write_t>?

  /// The one write request of a stream, made when a socket first does not take everything.
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
  /// Writes the pieces in order; waits only where too much is queued.
  public func write(_ pieces: [Bytes]) async throws {
    try Task.checkCancellation()
    try enqueue(pieces)
    guard output.queuedCount >= StreamLimits.highWater else { return }
    try await output.writers.wait { isBroken || output.queuedCount <= StreamLimits.lowWater }
    try throwIfBroken()
  }

  /// Waits until everything written has been handed to the kernel.
  public func flush() async throws {
    try Task.checkCancellation()
    try await output.flushers.wait { isBroken || output.queuedCount == 0 }
    try throwIfBroken()
  }

  /// Sends FIN after all that was written.
  public func shutdownOutput() async throws {
    try await flush()
    guard let descriptor else { throw UVError.cancelled }
    // Nothing is queued in libuv, so its own request, which waits for that, would gain nothing.
    if shutdown(descriptor, CInt(SHUT_WR)) != 0 { throw UVError(systemError: errno) }
  }

  /// How many of all bytes written the peer has acknowledged; nil while nothing waits for the peer, neither here nor in the
  /// system's buffer.
  public var outputProgress: Int? {
    let unacknowledged = unacknowledgedCount
    guard isOpen, output.queuedCount > 0 || unacknowledged > 0 else { return nil }
    let waiting = output.waiting.reduce(0) { $0 + $1.count }
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
    // Who has broken the connection off takes nothing more either.
    if let ending = input.ending, ending != .endOfFile { throw ending }
    if !isOpen { throw .cancelled }
  }

  /// Queues the pieces. What is written in one turn of the loop goes out in one system call at its end, and wakes the
  /// peer once; much is not kept back for that.
  private func enqueue(_ pieces: [Bytes]) throws(UVError) {
    try throwIfBroken()
    let count = pieces.reduce(0) { $0 + $1.count }
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

  /// Hands over what no system call has seen yet, as far as the socket takes it. Where this fails, the next writer is told.
  func sendGathered() {
    guard isOpen, output.inFlight.isEmpty else { return }
    try? sendWaiting()
    if output.queuedCount == 0 { output.flushers.wakeAll() }
  }

  private func sendWaiting() throws(UVError) {
    let waiting = exchange(&output.waiting, with: [])
    output.queuedCount -= waiting.reduce(0) { $0 + $1.count }
    try send(waiting)
  }

  /// Tries to write at once; what is left becomes the request in flight.
  private func send(_ pieces: [Bytes]) throws(UVError) {
    let total = pieces.reduce(0) { $0 + $1.count }
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
    // The request keeps the stream, and with it the bytes, until its callback.
    _ = Unmanaged.passRetained(self)
    output.inFlight = pieces
    output.queuedCount += count
  }

  private func didWrite(_ status: CInt) {
    output.queuedCount -= output.inFlight.reduce(0) { $0 + $1.count }
    output.inFlight = []
    guard status == 0 else { return fail(UVError(rawValue: status)) }
    // Where this fails the writers that are woken below, and all later ones, throw it.
    try? sendWaiting()
    if output.queuedCount <= StreamLimits.lowWater { output.writers.wakeAll() }
    if output.queuedCount == 0 { output.flushers.wakeAll() }
  }

  private func fail(_ error: UVError) {
    output.failure = error
    output.waiting = []
    output.queuedCount = 0
    output.wakeAll()
    input.watchers.wakeAll()
  }

  /// Lends the pieces as libuv wants them. The memory is not written to: `uv_buf_t` serves reading too, hence the cast.
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
  /// What is left after the first `count` bytes.
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
