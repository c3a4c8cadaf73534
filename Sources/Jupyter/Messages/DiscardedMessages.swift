import Logging

/// Tells the log of messages that are passed over, ever more seldom: code in a kernel can send any number of them, and
/// must not fill the log.
struct DiscardedMessages {
  private var count = 0

  /// Takes note of one; the first, the second, the fourth and so on are logged.
  mutating func note(_ reason: any Error, on channel: String, _ logger: Logger) {
    count += 1
    guard count.nonzeroBitCount == 1 else { return }
    logger.warning(
      "message of a kernel passed over",
      metadata: ["channel": "\(channel)", "reason": "\(reason)", "count": "\(count)"])
  }
}
