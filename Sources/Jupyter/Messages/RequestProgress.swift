import Wire

/// How far a kernel is with a request. It is done when it has replied **and** said that it is idle, in either order: the
/// two come over different channels.
///
/// https://jupyter-client.readthedocs.io/en/stable/messaging.html#request-reply
public struct RequestProgress: Sendable {
  /// The reply has come.
  public private(set) var isReplied = false
  /// The status `idle` has come.
  public private(set) var isIdle = false

  /// Nothing has come yet.
  public init() {}

  /// True when nothing more comes.
  public var isComplete: Bool { isReplied && isIdle }

  /// Takes note of a message that belongs to the request.
  public mutating func note(_ message: Message) {
    if message.isReply { isReplied = true }
    if message.isIdle { isIdle = true }
  }
}

extension Message {
  /// True for the reply to a request on `shell`.
  public var isReply: Bool {
    channel == .shell && [.executeReply, .kernelInfoReply].contains(header.type)
  }

  /// True for the status that ends the output of a request.
  public var isIdle: Bool {
    channel == .iopub && header.type == .status
      && (try? content())?["execution_state"]?.isString("idle") == true
  }
}
