import Loop
import Bytes

/// The sockets of a channel to a kernel.
@LoopActor
struct KernelSockets {
  /// True if the sockets know which requests a dead kernel has not read.
  let tellWhatIsLost: Bool
  let shell: any KernelSocket
  let control: any KernelSocket
  let iopub: any KernelSocket
  /// Connects `stdin`, which few executions need.
  let connectInput: @LoopActor () async throws -> any KernelSocket

  /// Connects all sockets.
  ///
  /// - Parameters:
  ///   - keepsOutput: see `LocalKernelSpec`.
  ///   - limits: how long a message may be, and how many bytes may wait in this process if the kernel does not wait.
  /// - Throws: `UVError`, such as `connectionRefused` and `tooManyOpenFiles`; `ZMTPError`, `CancellationError`.
  init(
    to connection: ConnectionInfo, by maker: KernelSocketMaker, keepsOutput: Bool, limits: KernelLimits
  ) async throws {
    tellWhatIsLost = maker.tellsWhatIsLost
    var opened: [any KernelSocket] = []
    let here = KernelSocketMaker.Waiting.here(limit: limits.unreadOutput)
    func connect(
      _ port: ConnectionInfo.Port, as kind: ZeroMQConnection.Kind, identity: Bytes = Bytes(),
      waiting: KernelSocketMaker.Waiting
    ) async throws -> any KernelSocket {
      let socket = try await maker.connect(
        to: connection.endpoint(port), as: kind, identity: identity, waiting: waiting,
        maximumMessageLength: limits.maximumMessage)
      opened.append(socket)
      return socket
    }
    do {
      let identity = Bytes(RandomIdentifier.make())
      iopub = try await connect(.iopub, as: .subscriber, waiting: keepsOutput ? .there : here)
      shell = try await connect(.shell, as: .dealer, identity: identity, waiting: here)
      control = try await connect(.control, as: .dealer, identity: identity, waiting: here)
      // The kernel sends its questions to the identity that the request came from.
      connectInput = {
        try await maker.connect(
          to: connection.endpoint(.stdin), as: .dealer, identity: identity, waiting: here,
          maximumMessageLength: limits.maximumMessage)
      }
    } catch {
      for socket in opened { socket.close() }
      throw error
    }
  }

  /// How many bytes of the kernel's output were dropped since the last call, because too many were waiting.
  func takeDropped() -> Int { iopub.takeDropped() + shell.takeDropped() }

  /// Closes all. Idempotent.
  func close() {
    closeAllButControl()
    control.close()
  }

  /// Closes `iopub` and `shell`. Idempotent.
  func closeAllButControl() {
    iopub.close()
    shell.close()
  }
}
