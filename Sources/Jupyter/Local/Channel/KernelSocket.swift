import Loop
import Memory
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

  /// Where a selector hears of messages and of the end.
  var source: any Selectable { get }

  /// Closes the connection, without waiting. Idempotent.
  func close()
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

  /// What a socket is to the kernel.
  enum Kind {
    case dealer(identity: Bytes)
    /// Hears everything.
    case subscriber
  }

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

  /// Connects to `endpoint`.
  ///
  /// - Parameters:
  ///   - heldMessages: how many messages libzmq may hold for us. Of our own ZMTP `StreamLimits.readAhead` says that.
  ///   - maximumMessageLength: in bytes, of all parts.
  /// - Throws: `UVError`, `ZMTPError`, `CancellationError`.
  @LoopActor
  func connect(
    to endpoint: ZeroMQConnection.Endpoint, as kind: Kind, heldMessages: CInt, maximumMessageLength: Int
  ) async throws -> any KernelSocket {
    switch (self, kind) {
    case (.direct, .dealer(let identity)):
      try await ZMTPConnection.open(
        endpoint, as: .dealer, identity: identity, maximumMessageLength: maximumMessageLength)
    case (.direct, .subscriber):
      try await ZMTPConnection.open(endpoint, as: .subscriber, maximumMessageLength: maximumMessageLength)
    case (.library(let context), .dealer(let identity)):
      try await ZeroMQConnection.open(
        endpoint, as: .dealer, identity: identity, heldMessages: heldMessages,
        maximumMessageLength: maximumMessageLength, in: context)
    case (.library(let context), .subscriber):
      try await ZeroMQConnection.open(
        endpoint, as: .subscriber, heldMessages: heldMessages, maximumMessageLength: maximumMessageLength,
        in: context)
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
