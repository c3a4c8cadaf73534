import DequeModule
import Bytes
import Wire

/// The messages of a kernel that the reader has not taken yet, up to a limit.
///
/// Beyond the limit, output is dropped and counted until the code that writes it has ended. Replies and status messages are
/// kept, as they show when code has ended.
struct MessageQueue {
  /// What a message takes beyond its content, in bytes: its two headers, of about 300 bytes each, and the objects that hold
  /// it. (With 512 counted, the process grew by 118 MB for 56,000 short messages.)
  static let overhead = 1024

  /// What was done with a message.
  enum Outcome: Equatable {
    case kept
    /// The message is the first one that was dropped. The code that writes the output is to be interrupted.
    case overflowed
    case dropped
    /// The message would have been kept, but too many of those are waiting. Only a faulty or malicious kernel sends so many.
    case overrun
  }

  /// How many bytes of output may wait, and how many of all other messages.
  let limit: Int
  private var events = Deque<KernelEvent>()
  /// How many bytes of output are waiting, and how many of all other messages.
  private var outputSize = 0
  private var essentialSize = 0
  /// The output that was dropped of the running code; nil if there is none.
  private var loss: OutputLoss?

  /// True while so much output is waiting that the kernel should pause: more than `pressure` bytes, until less than half of them
  /// are left.
  private(set) var isPressing = false
  private let pressure: Int
  /// A client that reads has less than this waiting. What a kernel has not sent yet may grow faster than it sends: while these
  /// came from Deno, it grew by 20 times as much.
  private static let mostPressure = 1 << 20

  init(limit: Int) {
    self.limit = limit
    pressure = min(Self.mostPressure, limit / 2)
  }

  /// True if nothing is waiting.
  var isEmpty: Bool { events.isEmpty }

  /// Adds a message, or drops it.
  ///
  /// - Parameter request: the request on shell that was sent last.
  mutating func append(_ message: Message, after request: MessageIdentifier?) -> Outcome {
    let cost = Self.cost(of: message)
    guard Self.isEssential(message) else { return appendOutput(message, cost, after: request) }
    // A message alone may be longer than the limit.
    guard essentialSize == 0 || essentialSize + cost <= limit else { return .overrun }
    if let loss, message.parentIdentifier == loss.request, message.isIdle { endLoss() }
    essentialSize += cost
    events.append(.message(message))
    return .kept
  }

  private mutating func appendOutput(_ message: Message, _ cost: Int, after request: MessageIdentifier?)
    -> Outcome
  {
    // A message alone may be longer than the limit.
    guard loss == nil, outputSize == 0 || outputSize + cost <= limit else {
      return drop(cost - Self.overhead, after: request)
    }
    outputSize += cost
    if outputSize > pressure { isPressing = true }
    events.append(.message(message))
    return .kept
  }

  /// Notes that `bytes` bytes of output were dropped before they came here.
  mutating func drop(_ bytes: Int, after request: MessageIdentifier?) -> Outcome {
    guard loss == nil else {
      loss?.bytes += bytes
      return .dropped
    }
    loss = OutputLoss(request: request ?? .none, limit: limit, bytes: bytes)
    return .overflowed
  }

  /// Adds the kernel's death. It comes last.
  mutating func append(death: String) {
    endLoss()
    events.append(.died(death))
  }

  /// Ends the loss: what comes from now on belongs to another request, and is kept again.
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
      if outputSize < pressure / 2 { isPressing = false }
    }
    return event
  }

  mutating func removeAll() {
    events.removeAll()
    outputSize = 0
    essentialSize = 0
    isPressing = false
    loss = nil
  }

  private static func cost(of message: Message) -> Int {
    message.payloadLength + overhead
  }

  private static func isEssential(_ message: Message) -> Bool {
    message.channel != .iopub || message.header.type == .status
  }
}
