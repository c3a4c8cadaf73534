import Loop
import Memory

/// The sockets of a channel to a kernel, and what watches the one that the kernel's output comes over.
@LoopActor
struct ZeroMQKernelSockets {
  /// How many messages wait with us where the kernel keeps what we do not take: enough that it never stands still, few
  /// enough that messages of megabytes do no harm.
  private static let heldMessages: CInt = 16
  /// A kernel that has bound its sockets accepts within microseconds; one on ports may still have to bind them.
  private static let reconnectMilliseconds: CInt = 10

  let shell: ZeroMQSocket
  let control: ZeroMQSocket
  let iopub: ZeroMQSocket
  let monitor: ZeroMQMonitor

  /// Makes all of them and begins to connect.
  ///
  /// - Throws: `UVError`, such as `tooManyOpenFiles`.
  init(to connection: ConnectionInfo, in context: ZeroMQContext, keepsOutput: Bool) throws(UVError) {
    var made: [ZeroMQSocket] = []
    do {
      var options = ZeroMQSocket.Options()
      options.reconnectInterval = Self.reconnectMilliseconds
      options.identity = Bytes(RandomIdentifier.make())
      shell = try Self.make(.dealer, in: context, options, &made)
      control = try Self.make(.dealer, in: context, options, &made)
      options.identity = Bytes()
      options.receiveHighWaterMark = keepsOutput ? Self.heldMessages : 0
      iopub = try Self.make(.subscriber, in: context, options, &made)
      monitor = try ZeroMQMonitor(of: iopub, in: context)
      try iopub.subscribe()
      try iopub.connect(to: connection.endpoint(.iopub))
      try shell.connect(to: connection.endpoint(.shell))
      try control.connect(to: connection.endpoint(.control))
    } catch {
      for socket in made { socket.close() }
      throw error
    }
  }

  /// Closes all. Idempotent.
  func close() {
    closeAllButControl()
    control.close()
  }

  /// Closes what the kernel's output comes over. Idempotent.
  func closeAllButControl() {
    monitor.close()
    iopub.close()
    shell.close()
  }

  private static func make(
    _ kind: ZeroMQSocket.Kind, in context: ZeroMQContext, _ options: ZeroMQSocket.Options,
    _ made: inout [ZeroMQSocket]
  ) throws(UVError) -> ZeroMQSocket {
    let socket = try ZeroMQSocket(kind, in: context, options)
    made.append(socket)
    return socket
  }
}
