import Loop
import Bytes
import Wire

/// A ZeroMQ socket that is connected to one socket of a kernel. It carries whole messages, each in several parts.
///
/// `ZMTPConnection` speaks ZMTP on the loop's own streams, for the kernels of our package. `ZeroMQConnection` uses libzmq,
/// which all other kernels are written for.
@LoopActor
protocol KernelSocket: AnyObject, Sendable {
  /// Sends a message of one or more parts. The message is on its way when this returns.
  ///
  /// - Throws: `UVError`, `CancellationError`.
  func send(_ parts: [Bytes]) async throws

  /// Takes the next message, its parts not copied; nil if there is none now.
  ///
  /// - Throws: `ZMTPError`, `UVError`; the socket is closed then.
  func receive() throws -> [Bytes]?

  /// Waits for the next message. Not for a socket that belongs to an inbox.
  ///
  /// - Throws: `UVError`, `endOfFile` among them; `ZMTPError`, `CancellationError`.
  func next() async throws -> [Bytes]

  /// True if the connection has ended or was closed. Once `receive` has returned nil, nothing more will come.
  var isPeerLost: Bool { get }

  /// True if the peer is gone and certainly has not read everything that was sent.
  var hasLostOutput: Bool { get }

  /// How many bytes were dropped since the last call, because too many were waiting; 0 if the peer waits instead.
  func takeDropped() -> Int

  /// Reports messages and the end to a selector.
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

/// Makes a `KernelSocket`.
enum KernelSocketMaker: Sendable {
  /// Our own ZMTP.
  case direct
  /// libzmq, with the context that its sockets belong to.
  case library(ZeroMQContext)

  /// True if the socket knows which requests a dead kernel has not read.
  var tellsWhatIsLost: Bool {
    switch self {
    case .direct: true
    case .library: false
    }
  }

  /// The pause between two attempts to connect to a kernel that does not listen yet. libzmq makes two sockets for each
  /// attempt.
  var retryInterval: Duration {
    switch self {
    case .direct: .milliseconds(2)
    case .library: .milliseconds(10)
    }
  }

  /// Where messages wait that the reader has not taken yet.
  enum Waiting {
    /// They wait in the kernel.
    case there
    /// They wait in this process, up to `limit` bytes with libzmq (see `ReadAheadSocket`). Our own ZMTP stops reading at
    /// `StreamLimits.readAhead`.
    case here(limit: Int)

    /// How many messages libzmq may hold (ZMQ_RCVHWM). For our own ZMTP, `StreamLimits.readAhead` is the limit.
    fileprivate var heldMessages: CInt {
      switch self {
      // libzmq counts messages, and one may be long.
      case .there: 16
      // The default of libzmq. A few would do, but libzmq 4.3.4 discards what it has not read yet if the peer closes its Unix
      // socket while the limit is reached, and that would be the last output of a kernel.
      case .here: 1000
      }
    }
  }

  /// Connects to `endpoint`.
  ///
  /// - Parameters:
  ///   - kind: the type of the socket. A subscriber subscribes to all topics.
  ///   - identity: the routing identity that a ROUTER peer knows the socket by.
  ///   - maximumMessageLength: of all parts together, in bytes.
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

/// The implementation of ZeroMQ that speaks to kernels.
public enum ZeroMQImplementation: String, Sendable, CaseIterable {
  /// libzmq.
  case library
  /// Our own ZMTP.
  case direct
  /// Our own ZMTP for the kernels of our package, libzmq for all others.
  case auto
}
