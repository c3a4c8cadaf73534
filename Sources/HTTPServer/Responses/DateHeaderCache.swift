import FoundationEssentials
import Loop
import Bytes
import Wire

/// The line of the `Date` field, formatted once a second.
@LoopActor
final class DateHeaderCache {
  private var line = Bytes()
  private var expiry: UInt64 = 0

  /// With its line break.
  var current: Bytes {
    let now = EventLoop.now
    if now >= expiry { renew(at: now) }
    return line
  }

  private func renew(at now: UInt64) {
    let seconds = Date().timeIntervalSince1970
    let whole = seconds.rounded(.down)
    line = Bytes("Date: \(HTTPDate.format(Int64(whole)))\r\n")
    expiry = now + UInt64((whole + 1 - seconds) * 1_000_000_000)
  }
}
