import Loop
import Memory
import Wire

/// The connections of a channel to a kernel's sockets.
@LoopActor
struct ZeroMQKernelConnections {
  let shell: ZeroMQConnection
  let control: ZeroMQConnection
  let iopub: ZeroMQConnection

  /// Opens all of them.
  ///
  /// - Parameter keepsOutput: see `LocalKernelSpec`. What other kernels say is taken at once, because they drop what
  ///   nobody takes.
  /// - Throws: `UVError`, such as `connectionRefused` and `tooManyOpenFiles`; `ZMTPError`, `CancellationError`.
  init(to connection: ConnectionInfo, keepsOutput: Bool) async throws {
    var opened: [ZeroMQConnection] = []
    do {
      let identity = Bytes(RandomIdentifier.make())
      iopub = try await ZeroMQConnection.open(connection.endpoint(.iopub), as: .subscriber)
      opened.append(iopub)
      shell = try await ZeroMQConnection.open(connection.endpoint(.shell), as: .dealer, identity: identity)
      opened.append(shell)
      control = try await ZeroMQConnection.open(
        connection.endpoint(.control), as: .dealer, identity: identity)
    } catch {
      for connection in opened { connection.close() }
      throw error
    }
    if !keepsOutput { iopub.stream.readWithoutLimit() }
  }

  /// Closes all. Idempotent.
  func close() {
    closeAllButControl()
    control.close()
  }

  /// Closes what the kernel's output comes over. Idempotent.
  func closeAllButControl() {
    iopub.close()
    shell.close()
  }
}
