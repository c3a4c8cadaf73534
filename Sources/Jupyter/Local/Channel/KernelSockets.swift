import Loop
import Memory

/// The sockets of a channel to a kernel.
@LoopActor
struct KernelSockets {
  /// How many messages libzmq may hold where we read whatever comes at once: as many as it takes where nothing is said. A
  /// few would do, but for one thing: libzmq 4.3.4 gives up what it has not read yet when the peer of a Unix socket closes
  /// it while the number is reached, and these would be a kernel's last words.
  private static let heldMessages: CInt = 1000
  /// How many where what we do not take is to wait in the kernel: libzmq counts messages, and one may be long.
  private static let heldMessagesOfWaiting: CInt = 16

  /// True where it is known what a dead kernel has not read.
  let tellWhatIsLost: Bool
  let shell: any KernelSocket
  let control: any KernelSocket
  let iopub: any KernelSocket

  /// Connects all of them.
  ///
  /// - Parameters:
  ///   - keepsOutput: see `LocalKernelSpec`.
  ///   - maximumMessageLength: in bytes.
  /// - Throws: `UVError`, such as `connectionRefused` and `tooManyOpenFiles`; `ZMTPError`, `CancellationError`.
  init(
    to connection: ConnectionInfo, by maker: KernelSocketMaker, keepsOutput: Bool, maximumMessageLength: Int
  ) async throws {
    tellWhatIsLost = maker.tellsWhatIsLost
    var opened: [any KernelSocket] = []
    func connect(_ port: ConnectionInfo.Port, as kind: KernelSocketMaker.Kind, holding held: CInt)
      async throws -> any KernelSocket
    {
      let socket = try await maker.connect(
        to: connection.endpoint(port), as: kind, heldMessages: held,
        maximumMessageLength: maximumMessageLength)
      opened.append(socket)
      return socket
    }
    do {
      let dealer = KernelSocketMaker.Kind.dealer(identity: Bytes(RandomIdentifier.make()))
      iopub = try await connect(
        .iopub, as: .subscriber, holding: keepsOutput ? Self.heldMessagesOfWaiting : Self.heldMessages)
      shell = try await connect(.shell, as: dealer, holding: Self.heldMessages)
      control = try await connect(.control, as: dealer, holding: Self.heldMessages)
    } catch {
      for socket in opened { socket.close() }
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
    iopub.close()
    shell.close()
  }
}
