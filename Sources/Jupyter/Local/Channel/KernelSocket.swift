import Loop
import Bytes
import Wire

/// A socket of ours that is connected to one socket of a kernel: whole messages, each in several parts.
///
/// There are two. `ZMTPConnection` speaks ZMTP on the loop's own streams: for kernels that we ship. `ZeroMQConnection` is
/// libzmq's, against which all other kernels are written.
@LoopActor
protocol KernelSocket: AnyObject, Sendable {
  /// Sends a message of one part or more. It is on its way when this returns.
  ///
  /// - Throws: `UVError`, `CancellationError`.
  func send(_ parts: [Bytes]) async throws

  /// Takes the next message, its parts in the memory that they arrived in; nil where there is none now.
  ///
  /// - Throws: `ZMTPError`, `UVError`; the socket is closed then.
  func receive() throws -> [Bytes]?

  /// Waits for the next message. Not for a socket that an inbox has.
  ///
  /// - Throws: `UVError`, `endOfFile` among them; `ZMTPError`, `CancellationError`.
  func next() async throws -> [Bytes]

  /// True when the connection has ended or was closed: once `receive` has found nothing, nothing more will come.
  var isPeerLost: Bool { get }

  /// True where the peer is gone and has certainly not read all that was sent.
  var hasLostOutput: Bool { get }

  /// How many bytes were dropped since this was last called, because too much waited; 0 where the peer waits instead.
  func takeDropped() -> Int

  /// Where a selector hears of messages and of the end.
  var source: any Selectable { get }

  /// Closes the connection, without waiting. Idempotent.
  func close()
}

extension KernelSocket {
  func takeDropped() -> Int { 0 }
}

extension ZeroMQConnection: KernelSocket {
  var source: any Selectable { self }
}

/// What a `KernelSocket` is made of.
enum KernelSocketMaker: Sendable {
  /// Our own ZMTP.
  case direct
  /// libzmq, with the context that its sockets belong to.
  case library(ZeroMQContext)

  /// True where it is known what a dead kernel has not read.
  var tellsWhatIsLost: Bool {
    switch self {
    case .direct: true
    case .library: false
    }
  }

  /// Between one look at whether a kernel listens and the next. libzmq makes two sockets for each.
  var retryInterval: Duration {
    switch self {
    case .direct: .milliseconds(2)
    case .library: .milliseconds(10)
    }
  }

  /// What becomes of messages that nobody takes.
  enum Waiting {
    /// They wait in the kernel.
    case there
    /// They wait here, up to so many bytes. Our own ZMTP reads no more then; of libzmq see `ReadAheadSocket`.
    case here(limit: Int)

    /// How many messages libzmq may hold for us. Of our own ZMTP `StreamLimits.readAhead` says that.
    fileprivate var heldMessages: CInt {
      switch self {
      // It counts messages, and one may be long.
      case .there: 16
      // As many as where nothing is said. A few would do, but for one thing: libzmq 4.3.4 gives up what it has not read
      // yet when the peer of a Unix socket closes it while the number is reached, and these would be a kernel's last words.
      case .here: 1000
      }
    }
  }

  /// Connects to `endpoint`.
  ///
  /// - Parameters:
  ///   - kind: what the socket is to the kernel. A subscriber hears everything.
  ///   - identity: what a router is to call it.
  ///   - maximumMessageLength: in bytes, of all parts.
  /// - Throws: `UVError`, `ZMTPError`, `CancellationError`.
  @LoopActor
  func connect(
    to endpoint: ZeroMQConnection.Endpoint, as kind: ZeroMQConnection.Kind, identity: Bytes = Bytes(),
    waiting: Waiting, maximumMessageLength: Int
  ) async throws -> any KernelSocket {
    switch self {
    case .direct:
      return try await ZMTPConnection.open(
        endpoint, as: kind == .subscriber ? .subscriber : .dealer, identity: identity,
        maximumMessageLength: maximumMessageLength)
    case .library(let context):
      let connection = try await ZeroMQConnection.open(
        endpoint, as: kind, identity: identity, heldMessages: waiting.heldMessages,
        maximumMessageLength: maximumMessageLength, in: context)
      switch waiting {
      case .there: return connection
      case .here(let limit): return ReadAheadSocket(connection, limit: limit)
      }
    }
  }
}

/// Who speaks ZeroMQ to kernels.
public enum ZeroMQImplementation: String, Sendable, CaseIterable {
  /// libzmq.
  case library
  /// Our own ZMTP.
  case direct
  /// Our own for kernels that we ship, libzmq for all others.
  case auto
}
