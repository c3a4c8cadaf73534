import Wire

/// The progress of a request. It is complete when the reply **and** the status `idle` have arrived, in either order:
/// they use different channels.
///
/// https://jupyter-client.readthedocs.io/en/stable/messaging.html#request-reply
public struct RequestProgress: Sendable {
  /// The reply has arrived.
  public private(set) var isReplied = false
  /// The status `idle` has arrived.
  public private(set) var isIdle = false

  /// Nothing has arrived yet.
  public init() {}

  /// True when no more messages follow.
  public var isComplete: Bool { isReplied && isIdle }

  /// Records a message of the request.
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

  /// Why a reply says that the request failed: the `evalue` of its error. Nil if its status is `ok`.
  public var failure: String? {
    let content = try? content()
    if content?["status"]?.isString("ok") == true { return nil }
    return content?["evalue"]?.excerpt() ?? "no reason given"
  }
}
