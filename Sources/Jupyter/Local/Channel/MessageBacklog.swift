import DequeModule
import Bytes
import Wire

/// What a kernel has said and nobody has taken yet, up to a limit.
///
/// Beyond the limit output is dropped and counted, until the code that made it has ended. What says that code has ended is
/// kept: replies, and the kernel's status.
struct MessageBacklog {
  /// What a message takes beside its content, in bytes: its two headers, of some 300 each, and the objects that hold it. (The
  /// process grew by 118 MB with 56,000 short messages where 512 were counted.)
  static let overhead = 1024

  /// What has become of a message.
  enum Outcome: Equatable {
    case kept
    /// It is the first one that was dropped: the code that makes them is to be stopped.
    case overflowed
    case dropped
    /// It would have been kept, but there are too many even of those: nobody sends so many who means well.
    case overrun
  }

  /// How many bytes of output may wait, and how many of what is kept.
  let limit: Int
  private var events = Deque<KernelEvent>()
  /// How many bytes of output wait, and how many of all else.
  private var outputSize = 0
  private var essentialSize = 0
  /// What was dropped of the output of the code that runs; nil while nothing is.
  private var loss: OutputLoss?

  init(limit: Int) { self.limit = limit }

  /// True when nothing is to be taken.
  var isEmpty: Bool { events.isEmpty }

  /// Takes a message.
  ///
  /// - Parameter request: the request on shell that was sent last.
  mutating func append(_ message: Message, after request: MessageIdentifier?) -> Outcome {
    let cost = Self.cost(of: message)
    guard Self.isEssential(message) else { return appendOutput(message, cost, after: request) }
    // One alone may be longer than the limit.
    guard essentialSize == 0 || essentialSize + cost <= limit else { return .overrun }
    if let loss, message.parentIdentifier == loss.request, message.isIdle { endLoss() }
    essentialSize += cost
    events.append(.message(message))
    return .kept
  }

  private mutating func appendOutput(_ message: Message, _ cost: Int, after request: MessageIdentifier?)
    -> Outcome
  {
    // One alone may be longer than the limit.
    guard loss == nil, outputSize == 0 || outputSize + cost <= limit else {
      return drop(cost - Self.overhead, after: request)
    }
    outputSize += cost
    events.append(.message(message))
    return .kept
  }

  /// Takes the news that so many bytes of output did not come as far as here.
  mutating func drop(_ bytes: Int, after request: MessageIdentifier?) -> Outcome {
    guard loss == nil else {
      loss?.bytes += bytes
      return .dropped
    }
    loss = OutputLoss(request: request ?? .none, limit: limit, bytes: bytes)
    return .overflowed
  }

  /// Takes the news that the kernel has died, which comes last.
  mutating func append(death: String) {
    endLoss()
    events.append(.died(death))
  }

  /// What comes from now on belongs to another request, and is kept again.
  mutating func endLoss() {
    guard let loss else { return }
    events.append(.lost(loss))
    self.loss = nil
  }

  /// The next event, the oldest first.
  mutating func popFirst() -> KernelEvent? {
    guard let event = events.popFirst() else { return nil }
    if case .message(let message) = event {
      let cost = Self.cost(of: message)
      if Self.isEssential(message) { essentialSize -= cost } else { outputSize -= cost }
    }
    return event
  }

  /// Forgets everything.
  mutating func removeAll() {
    events.removeAll()
    outputSize = 0
    essentialSize = 0
    loss = nil
  }

  private static func cost(of message: Message) -> Int {
    message.contentLength + message.metadata.count + overhead
  }

  private static func isEssential(_ message: Message) -> Bool {
    message.channel != .iopub || message.header.type == .status
  }
}
