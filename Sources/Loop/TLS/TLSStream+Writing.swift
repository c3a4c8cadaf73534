public import Bytes
import DequeModule

/// The state of a TLS stream's writing half.
@LoopActor
final class TLSOutput {
  /// Pieces that are not encrypted yet.
  var waiting = Deque<Bytes>()
  /// The number of bytes in `waiting`.
  var waitingCount = 0
  /// The end of this turn encrypts what waits.
  var isGathering = false
  /// A job will encrypt more.
  var isContinuing = false
  let writers = WaitQueue()

  func append(_ pieces: [Bytes]) {
    for piece in pieces where !piece.isEmpty {
      waiting.append(piece)
      waitingCount += piece.count
    }
  }

  /// Takes up to `count` bytes. Small neighbours are joined, since each record costs 22 bytes and a run of the cipher.
  func take(_ count: Int) -> [Bytes] {
    if waiting.count == 1, waitingCount <= count, let piece = waiting.popFirst() {
      waitingCount = 0
      return [piece]
    }
    var taken: [Bytes] = []
    var small = ByteBuffer()
    var left = count
    while left > 0, let piece = waiting.popFirst() {
      let part = piece.count <= left ? piece : piece[0..<left]
      if part.count < piece.count { waiting.prepend(piece[part.count...]) }
      left -= part.count
      waitingCount -= part.count
      if small.count + part.count > TLSEngine.recordLength, !small.isEmpty { taken.append(small.takeAll()) }
      if part.count < TLSEngine.recordLength { small.append(part) } else { taken.append(part) }
    }
    if !small.isEmpty { taken.append(small.takeAll()) }
    return taken
  }

  func drop() {
    waiting = []
    waitingCount = 0
  }

  func wakeAll() { writers.wakeAll() }
}

extension TLSStream {
  /// How many bytes are encrypted at once; with what records add they fit into one block for transfers.
  private static let portion = BlockCache.transferLength - TLSEngine.recordLength
  /// How many bytes are encrypted in one turn of the loop, while others wait: 1 MiB takes 0.4 ms.
  private static let mostInOneTurn = 1024 * 1024

  /// Writes the pieces in order.
  public func write(_ pieces: [Bytes]) async throws {
    try Task.checkCancellation()
    try throwIfBroken()
    output.append(pieces)
    if !gathersWrites || output.waitingCount >= StreamLimits.largestGathering {
      encryptWaiting()
    } else {
      gather()
    }
    guard queuedCount >= StreamLimits.highWater else { return try throwIfBroken() }
    try await output.writers.wait { isBroken || queuedCount <= StreamLimits.lowWater }
    try throwIfBroken()
  }

  private var queuedCount: Int { output.waitingCount + transport.output.queuedCount }

  private var isBroken: Bool { failure != nil || isClosed }

  /// nil while nothing waits for the peer, else a count that grows whenever the peer takes some of it.
  public var outputProgress: Int? { transport.outputProgress }

  /// Waits until the operating system has taken all written bytes.
  public func flush() async throws {
    try Task.checkCancellation()
    encryptWaiting()
    try await output.writers.wait { isBroken || queuedCount == 0 }
    try throwIfBroken()
  }

  /// Sends close_notify, then FIN.
  public func shutdownOutput() async throws {
    try await flush()
    engine.end()
    try sendRecords()
    try await transport.shutdownOutput()
  }

  private func gather() {
    guard !output.isGathering else { return }
    output.isGathering = true
    EventLoop.shared.atEndOfTurn {
      self.output.isGathering = false
      self.encryptWaiting()
    }
  }

  /// Encrypts what waits as far as the socket has room for it: a connection holds no more than that twice.
  func encryptWaiting() {
    var left = Self.mostInOneTurn
    do {
      while !output.waiting.isEmpty, failure == nil, !isClosed,
        transport.output.queuedCount < StreamLimits.highWater
      {
        if left <= 0 { return continueLater() }
        left -= Self.portion
        for piece in output.take(Self.portion) { try engine.encrypt(piece) }
        try sendRecords()
      }
    } catch {
      fail(error)
    }
  }

  /// A peer that reads as fast as this is written must not keep others waiting.
  private func continueLater() {
    guard !output.isContinuing else { return }
    output.isContinuing = true
    LoopActor.task {
      self.output.isContinuing = false
      self.encryptWaiting()
      self.didSend()
    }
  }

  /// The socket has sent something, or is broken.
  func didSend() {
    if let error = transport.output.failure { return fail(error) }
    encryptWaiting()
    if queuedCount <= StreamLimits.lowWater { output.wakeAll() }
  }
}
