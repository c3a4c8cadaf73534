public import Bytes

/// A connection: bytes in, bytes out. Plain sockets, pipes and TLS look alike from above.
///
/// `inbound` is a plain property, although `ByteBuffer` cannot be copied: Swift reads and changes such a requirement in
/// place through `_read` and `_modify`, so `parser.next(&stream.inbound)` moves no bytes, through `any ByteStream`
/// too. A stored property satisfies it; one that forwards is written with `_read { yield … }` and
/// `_modify { yield &… }`. No `await` may stand inside such an access: reads go to the same place.
///
/// The way to read:
///
///     while true {
///       while let event = try parser.next(&stream.inbound) { … }
///       guard try await stream.fill() else { break }
///     }
@LoopActor
public protocol ByteStream: AnyObject, Sendable {
  /// What has arrived and was not taken yet.
  var inbound: ByteBuffer { get set }

  /// Waits until more bytes are in `inbound`; false at the end of the stream (an orderly FIN).
  ///
  /// Returns at once where bytes arrived since it last returned, so it may turn out that the parser has seen them
  /// already. One task at a time may fill. Reading goes on behind the caller's back until `inbound` holds
  /// `StreamLimits.readAhead` bytes, or what `prepare` asked for, and nobody waits for more; then the socket stops, and
  /// so does the peer.
  ///
  /// Throws the `UVError` that broke the connection, after all that came before it; `UVError.cancelled` when the stream
  /// is closed meanwhile; `CancellationError`, with nothing lost.
  func fill() async throws -> Bool

  /// Announces that `inbound` is to grow to `count` bytes in one run: room is made once, so a large frame is read
  /// straight to its place, and reading does not stop before it is whole. Where the stream can do so, `fill` does not
  /// return before that either, unless the stream ends: a frame of 64 MiB comes in 300 reads.
  func prepare(forTotal count: Int)

  /// Reads nothing more until somebody waits for it (`fill`, `untilPeerIsGone`), however little is in `inbound`: the peer
  /// has to wait.
  func pauseInput()

  /// Waits until the peer has closed or broken the connection, to notice a client that vanishes while nobody reads from
  /// it. Returns also when `inbound` is full, as nothing more can be noticed then, when the stream is closed, and when
  /// the task is cancelled; `isPeerGone` tells which.
  func untilPeerIsGone() async

  /// True once the end of what the peer sends, or an error, has been seen, whether `inbound` was emptied or not.
  var isPeerGone: Bool { get }

  /// Writes the pieces in order, in one gathering system call as long as the socket takes them.
  ///
  /// Returns at once while less than `StreamLimits.highWater` bytes wait, else when less than `StreamLimits.lowWater`
  /// do. Several tasks may write: calls go out in their order. Throws what broke the connection, if not at this write
  /// then at a later one. A task that is cancelled before the call writes nothing; one that is cancelled while it waits
  /// has written all.
  func write(_ pieces: [Bytes]) async throws

  /// nil while nothing waits for the peer, else a count that grows whenever it takes some of what was written: to tell a
  /// peer that takes nothing from one that is slow.
  var outputProgress: Int? { get }

  /// Waits until everything written has been handed to the kernel.
  func flush() async throws

  /// Sends FIN after all that was written.
  func shutdownOutput() async throws

  /// Ends the stream at once, with what was written but not flushed; whoever waits for it gets
  /// `UVError.cancelled`. Returns when its resources are free. Idempotent, not cancellable.
  func close() async

  /// Begins to close, without waiting.
  func abort()

  /// Begins to close a connection whose peer takes nothing, and throws away what waits for it.
  func reset()
}

/// How much a stream holds.
public enum StreamLimits {
  /// Bytes that are read before anybody asks for them. One bandwidth-delay product of a good network, and as much as
  /// one read takes.
  public static let readAhead = 256 * 1024
  /// Bytes that wait to be written before writers wait too.
  public static let highWater = 256 * 1024
  /// Bytes that may still wait when writers go on: enough to keep the socket busy until they have come back.
  public static let lowWater = 64 * 1024
  /// Bytes that are kept back for the end of the turn: more than that is worth a system call of its own.
  static let largestGathering = 64 * 1024
  /// Pieces that are: Linux takes 1024 in one call.
  static let mostPieces = 512
  /// The memory that a first read is given. Requests are small, and most connections idle.
  static let smallestRead = 4 * 1024
  /// What it grows to when reads fill it, as they do in uploads.
  static let largestRead = BlockCache.transferLength
}
