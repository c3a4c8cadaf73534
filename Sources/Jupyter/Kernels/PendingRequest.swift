import Bytes
import DequeModule
import Loop

/// A request in progress, with the messages that its consumer has not processed.
///
/// Only a few short messages are queued here, so that a burst costs one task switch. Other output waits in the kernel
/// while the consumer is busy.
@LoopActor
final class PendingRequest {
  /// The limits of queued messages: their number and size.
  nonisolated static let mostMessages = 16, mostBytes = 64 << 10

  /// True once a message has arrived.
  private(set) var hasMessages = false
  /// True when no more messages follow.
  var isFinished: Bool { result != nil }
  /// Called if the kernel ends before the request does, even while the consumer is busy.
  var onFailure: (@LoopActor (KernelEnd) -> Void)?
  private var progress = RequestProgress()
  private var messages: Deque<Message> = []
  private var size = 0
  private var isConsumerBusy = false
  private var result: Result<Void, KernelEnd>?
  private let arrivals = WaitQueue()
  private let departures = WaitQueue()

  /// True if the listener must wait before it reads more.
  var isFull: Bool { isFinished || messages.count >= Self.mostMessages || size >= Self.mostBytes }

  /// Queues a message for the consumer.
  func append(_ message: Message) {
    hasMessages = true
    isConsumerBusy = true
    messages.append(message)
    size += message.payloadLength
    progress.note(message)
    if progress.isComplete { result = .success(()) }
    arrivals.wakeAll()
  }

  /// Waits until the consumer has processed all messages and asks for the next one, or has given up. Not for a task
  /// that may be cancelled.
  func untilConsumed() async { try? await departures.wait { !isConsumerBusy } }

  /// Waits for the next message; nil when there are no more.
  ///
  /// - Throws: `KernelEnd`, `CancellationError`.
  func next() async throws -> Message? {
    if messages.isEmpty {
      release()
      try await arrivals.wait { !messages.isEmpty || result != nil }
    }
    if let message = messages.popFirst() {
      size -= message.payloadLength
      return message
    }
    try result?.get()
    return nil
  }

  /// Ends the request after the queued messages. Only the first call counts.
  func finish(_ result: Result<Void, KernelEnd>) {
    guard self.result == nil else { return }
    self.result = result
    arrivals.wakeAll()
    if case .failure(let end) = result {
      release()
      onFailure?(end)
    }
  }

  /// Lets the listener continue.
  func release() {
    isConsumerBusy = false
    departures.wakeAll()
  }
}
