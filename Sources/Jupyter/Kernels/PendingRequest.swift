import Bytes
import DequeModule
import Loop

/// A request that the kernel has not finished with, and what it has said to it that the consumer has not dealt with.
///
/// Only a few short messages wait here, so that a burst of them costs one change of tasks and not one each. The kernel's
/// output waits in the kernel while the consumer is busy.
@LoopActor
final class PendingRequest {
  /// How many messages may wait, and from how many bytes on no other one may.
  nonisolated static let mostMessages = 16, mostBytes = 64 << 10

  /// True once the kernel has said something to it.
  private(set) var isHeard = false
  /// True when the kernel says nothing more to it.
  var isFinished: Bool { result != nil }
  /// Called when the kernel ends before the request does, also while the consumer is busy.
  var onFailure: (@LoopActor (KernelEnd) -> Void)?
  private var progress = RequestProgress()
  private var messages: Deque<Message> = []
  private var size = 0
  private var isConsumerBusy = false
  private var result: Result<Void, KernelEnd>?
  private let arrivals = WaitQueue()
  private let departures = WaitQueue()

  /// True when the listener is to wait before it hears more of the kernel.
  var isFull: Bool { isFinished || messages.count >= Self.mostMessages || size >= Self.mostBytes }

  /// Takes a message of the kernel for the consumer.
  func append(_ message: Message) {
    isHeard = true
    isConsumerBusy = true
    messages.append(message)
    size += message.payloadLength
    progress.note(message)
    if progress.isComplete { result = .success(()) }
    arrivals.wakeAll()
  }

  /// Waits until the consumer has dealt with all messages and asks for the next one, or gives up. Not for a task that may be
  /// cancelled.
  func untilDealtWith() async { try? await departures.wait { !isConsumerBusy } }

  /// Waits for the next message; nil when there are no more.
  ///
  /// - Throws: `KernelEnd`, `CancellationError`.
  func next() async throws -> Message? {
    if messages.isEmpty { release() }
    try await arrivals.wait { !messages.isEmpty || result != nil }
    if let message = messages.popFirst() {
      size -= message.payloadLength
      return message
    }
    try result?.get()
    return nil
  }

  /// Ends the request behind the messages that wait. Only the first call counts.
  func finish(_ result: Result<Void, KernelEnd>) {
    guard self.result == nil else { return }
    self.result = result
    arrivals.wakeAll()
    if case .failure(let end) = result {
      release()
      onFailure?(end)
    }
  }

  /// Lets the listener go on.
  func release() {
    isConsumerBusy = false
    departures.wakeAll()
  }
}
