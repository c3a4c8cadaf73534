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
    let time = WallClock.now()
    line = Bytes("Date: \(HTTPDate.format(time.seconds))\r\n")
    expiry = now + UInt64(1_000_000 - time.microseconds) * 1000
  }
}
