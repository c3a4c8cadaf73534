public import Bytes

/// A connection of bytes: a plain socket, a pipe or TLS.
///
/// `inbound` is a plain property, although `ByteBuffer` cannot be copied: Swift accesses such a requirement in place, by
/// `_read` and `_modify`, so that `parser.next(&stream.inbound)` moves no bytes, also for `any ByteStream`. No `await` may
/// stand inside such an access, because the stream reads into the same buffer.
///
/// How to read:
///
///     while true {
///       while let event = try parser.next(&stream.inbound) { … }
///       guard try await stream.fill() else { break }
///     }
@LoopActor
public protocol ByteStream: AnyObject, Sendable {
  /// Bytes that have arrived and were not taken yet.
  var inbound: ByteBuffer { get set }

  /// Waits until more bytes are in `inbound`; false at the end of the stream (an orderly FIN).
  ///
  /// Returns at once if bytes arrived since it last returned, so the parser may have seen them already. One task at a time
  /// may call it. The stream reads on without a call until `inbound` holds `StreamLimits.readAhead` bytes, or as many as
  /// `prepare` announced, and no task waits for more. Then it stops reading, so that the peer has to wait.
  ///
  /// - Throws: the `UVError` that broke the connection, after all bytes that came before it; `UVError.cancelled` when the
  ///   stream is closed; `CancellationError`, and no bytes are lost.
  func fill() async throws -> Bool

  /// Makes `fill` return true although no bytes arrived, now or at its next call, because another event needs its
  /// caller, such as a time-out.
  func wakeReader()

  /// Announces that `inbound` is to hold `count` bytes: memory is reserved once, so that a large frame is read without being
  /// moved, and reading does not stop before it is complete. Streams that can do so let `fill` return only then, or at the
  /// end of the stream: a frame of 64 MiB comes in 300 reads.
  func prepare(forTotal count: Int)

  /// Stops reading until a task calls `fill` or `untilPeerIsGone`, so that the peer has to wait.
  func pauseInput()

  /// Waits until the peer has closed or broken the connection: notices a client that disappears while no task reads
  /// from it. Also returns when `inbound` is full, because the end cannot be noticed then, when the stream is closed,
  /// and when the task is cancelled; `isPeerGone` shows which.
  func untilPeerIsGone() async

  /// True once the end of the peer's bytes, or an error, was read, also while `inbound` still holds bytes.
  var isPeerGone: Bool { get }

  /// Writes the pieces in order, in one gathering system call if the socket takes them.
  ///
  /// Returns at once while less than `StreamLimits.highWater` bytes are queued, else when the queue has shrunk to
  /// `StreamLimits.lowWater`. Several tasks may write; calls are written in their order.
  ///
  /// - Throws: what broke the connection, at this write or at a later one; `CancellationError`. A task that is cancelled
  ///   before the call writes nothing. One that is cancelled while it waits has written all.
  func write(_ pieces: [Bytes]) async throws

  /// Takes the beginning of `part`. A plain socket sends what it has room for without a copy in this process; other streams, such
  /// as TLS, send nothing. Then comes a block that the caller writes, because `write` waits for room; it is empty if none is left.
  ///
  /// No written bytes may wait (`flush`), and nothing may be written meanwhile.
  ///
  /// - Throws: an error of the file; `CancellationError`, and nothing was sent.
  func send(_ part: inout FilePart) async throws -> Bytes

  /// nil while no written bytes wait for the peer, else a count that grows whenever the peer takes some. It tells a peer that
  /// reads nothing from one that is slow.
  var outputProgress: Int? { get }

  /// Waits until the operating system has taken all written bytes.
  func flush() async throws

  /// Sends FIN behind all written bytes.
  func shutdownOutput() async throws

  /// Closes the stream and drops what was not flushed. Waiting tasks get `UVError.cancelled`. Returns when the resources are
  /// free. Idempotent, not cancellable.
  func close() async

  /// Begins to close, without waiting.
  func abort()

  /// Begins to close a connection whose peer reads nothing, and drops what waits for it.
  func reset()
}

extension ByteStream {
  /// Reads a block.
  public func send(_ part: inout FilePart) async throws -> Bytes {
    let whole = part
    let (rest, block) = try await Pending { () throws(UVError) in
      var rest = whole
      let block = try rest.readFirst(BlockCache.transferLength)
      return (rest, block)
    }.value()
    part = rest
    return block
  }
}

/// Sizes of buffers and queues of streams, in bytes where nothing else is said.
public enum StreamLimits {
  /// Bytes that are read ahead: the bandwidth-delay product of a good network, and the size of one large read.
  public static let readAhead = 256 * 1024
  /// Queued bytes from which on writers wait.
  static let highWater = 256 * 1024
  /// Queued bytes at which waiting writers go on: enough to keep the socket busy until they write again.
  static let lowWater = 64 * 1024
  /// Bytes that are held back until the end of the turn. More are worth a system call of their own.
  static let largestGathering = 64 * 1024
  /// The length of a block of a file that is read where the socket has no room for more.
  static let fileBlock = 64 * 1024
  /// Pieces that are held back; Linux takes 1024 in one call (IOV_MAX).
  static let mostPieces = 512
  /// The size of the first read. Requests are small, and most connections are idle.
  static let smallestRead = 4 * 1024
  /// The size that reads grow to while they fill their memory, as in uploads.
  static let largestRead = BlockCache.transferLength
}
