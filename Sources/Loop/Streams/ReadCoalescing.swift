import Glibc

/// Lets what a TCP peer sends in a steady flow gather for a moment before it is read, as network cards do with packets
/// (`rx-usecs` of ethtool).
///
/// A Jupyter Server sends each message of a kernel by itself. To be woken for each of 3,000 displays took us 140 ms of
/// processor time and that server, which wakes us, 740; with it they are 60 and 680, of the second that the kernel needs.
@LoopActor
final class ReadCoalescing {
  /// How long what has come may wait; libuv's timers add up to a millisecond.
  static let wait: Duration = .milliseconds(1)

  private var flow = ReadFlow()
  private let setLowWater: @LoopActor (CInt) -> Void
  private let expiry: Deadline

  /// - Parameter setLowWater: sets how many bytes there must be for the system to tell us of them (`SO_RCVLOWAT`).
  init(setLowWater: @escaping @LoopActor (CInt) -> Void) {
    self.setLowWater = setLowWater
    expiry = Deadline { setLowWater(1) }
  }

  /// True while the system tells us of nothing small.
  var isWaiting: Bool { expiry.isRunning }

  /// A read has brought `count` bytes.
  func didRead(_ count: Int) {
    guard flow.didRead(count, at: EventLoop.now), !isWaiting else { return }
    setLowWater(CInt(ReadFlow.largeRead))
    expiry.start(Self.wait)
  }

  /// Something is sent: its answer must not wait.
  func restart() {
    flow.restart()
    guard isWaiting else { return }
    expiry.stop()
    setLowWater(1)
  }

  func close() { expiry.close() }
}

extension SocketStream {
  /// Reads a steady flow of small messages in fewer reads from now on, some of it up to 2 ms later. What is sent ends
  /// the flow: answers are read as they come. For TCP; the system knows no such thing for Unix sockets.
  public func coalesceReads() {
    input.coalescing = ReadCoalescing { [weak self] count in
      guard let descriptor = self?.descriptor else { return }
      setSocketOption(SO_RCVLOWAT, at: SOL_SOCKET, of: descriptor, to: count)
    }
  }
}
