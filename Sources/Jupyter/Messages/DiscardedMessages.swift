import Logging

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
