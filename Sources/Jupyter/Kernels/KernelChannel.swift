public import Loop
import Bytes
import Logging

/// The connection to one kernel: a WebSocket of a Jupyter Server, or ZeroMQ sockets.
@LoopActor
public protocol KernelChannel: AnyObject, Sendable {
  /// Sends a request. On return it is sent, but may not have been received.
  ///
  /// - Throws: when the channel is lost.
  func send(_ request: KernelRequest) async throws

  /// True if it is certain that the kernel has not received the request with this identifier, and will not.
  func hasMissed(_ request: MessageIdentifier) -> Bool

  /// Waits for the next event. One caller at a time. While nobody calls it, the kernel's output waits.
  ///
  /// - Throws: when the channel is lost.
  func next() async throws -> KernelEvent

  /// Starts reading ahead, because the kernel drops output that is not read. Called between two calls of `next`.
  func takeOutputAtOnce()

  /// Sets a handler for too much unread output. From then on output is dropped, and the code that prints it must be
  /// interrupted. `next` reports the loss in place of the output.
  func onOverflow(_ handler: @escaping @LoopActor () -> Void)

  /// Lets the kernel ask for input, of requests that allow that.
  ///
  /// - Throws: `UVError`, `ZMTPError`, `CancellationError`.
  func openInput() async throws

  /// Closes the channel; a `next` under way throws.
  func close() async
}

extension KernelChannel {
  /// A channel through a server cannot know.
  func hasMissed(_ request: MessageIdentifier) -> Bool { false }

  /// A channel through a server carries all.
  public func openInput() async throws {}

  /// Most channels cannot read ahead.
  func takeOutputAtOnce() {}

  /// Most channels never hold more than one message.
  func onOverflow(_ handler: @escaping @LoopActor () -> Void) {}
}

/// An event of a channel.
public enum KernelEvent: Sendable {
  /// A message of the kernel.
  case message(Message)
  /// Output was dropped.
  case lost(OutputLoss)
  /// The kernel's process has ended; how, as far as it is known.
  case died(String)
}

/// How much a reader of messages may take before it yields. Messages that have arrived do not suspend the reader, so a flood
/// of them, or of long ones, would keep the loop from everything else.
struct TurnBudget {
  /// A message takes some 10 µs with all that follows from it, so that others wait less than 1 ms.
  static let messages = 64

  /// To check, escape and send so many bytes takes about as long. A single longer message is checked on another thread.
  static let bytes = 1 << 20

  private var messagesLeft = messages
  private var bytesLeft = bytes

  /// Counts a message of `count` bytes; true when the reader has to yield before the next one.
  mutating func isSpent(by count: Int) -> Bool {
    messagesLeft -= 1
    bytesLeft -= min(count, Self.bytes)
    if messagesLeft > 0, bytesLeft > 0 { return false }
    renew()
    return true
  }

  /// Starts anew: the reader is about to wait anyway.
  mutating func renew() { self = TurnBudget() }
}

/// Logs that messages were discarded, ever more seldom: code in a kernel can send any number of malformed messages, and must
/// not fill the log.
struct DiscardedMessages {
  private var count = 0

  /// Counts one. The first, the second, the fourth and so on are logged.
  mutating func note(_ reason: any Error, on channel: String, _ logger: Logger) {
    count += 1
    guard count.nonzeroBitCount == 1 else { return }
    logger.warning(
      "kernel message discarded",
      metadata: ["channel": "\(channel)", "reason": "\(reason)", "count": "\(count)"])
  }
}
