import Memory
import Testing

@testable import Loop

/// Two connected sockets and their context. `near` is the one that others connect to.
@LoopActor
struct ZeroMQPair {
  let context: ZeroMQContext
  let near: ZeroMQSocket
  let far: ZeroMQSocket
  let directory: TemporaryDirectory

  var endpoint: String { "ipc://\(directory.path)/socket" }

  static func open(_ near: ZeroMQSocket.Kind, _ far: ZeroMQSocket.Kind, _ options: ZeroMQSocket.Options)
    throws -> ZeroMQPair
  {
    let context = try ZeroMQContext()
    let pair = ZeroMQPair(
      context: context, near: try ZeroMQSocket(near, in: context),
      far: try ZeroMQSocket(far, in: context, options),
      directory: try TemporaryDirectory(prefix: "zeromq-test-"))
    try pair.near.bind(to: pair.endpoint)
    return pair
  }

  /// Connects both, and returns when what is sent arrives.
  func connect() async throws {
    let monitor = try ZeroMQMonitor(of: far, in: context)
    defer { monitor.close() }
    try far.connect(to: endpoint)
    while try await monitor.next() != .connected {}
  }

  func close() async {
    await context.close()
    await directory.remove()
  }
}

/// Runs `body` with a pair over a Unix socket, as kernels are spoken to.
func withZeroMQPair(
  _ near: ZeroMQSocket.Kind = .pair, _ far: ZeroMQSocket.Kind = .pair,
  _ options: ZeroMQSocket.Options = .init(),
  sourceLocation: SourceLocation = #_sourceLocation,
  _ body: @escaping @LoopActor (ZeroMQPair) async throws -> Void
) async throws {
  try await onLoop(sourceLocation: sourceLocation) {
    let pair = try ZeroMQPair.open(near, far, options)
    do {
      try await pair.connect()
      try await body(pair)
    } catch {
      await pair.close()
      throw error
    }
    await pair.close()
    // The handles are closing: their turn of the loop is what the count waits for.
    await Task.yield()
  }
}
