import Loop
import Bytes
import Wire

/// A line from the fork server.
enum ForkReply: Equatable, Sendable {
  /// The fork server is ready.
  case ready
  /// The kernel was forked, with this process identifier.
  case forked(Int64, Int32)
  /// The fork failed, for this reason.
  case failed(Int64, String)
  /// The kernel has ended.
  case ended(Int64, ExitStatus)

  /// Reads a line; nil if it is none of these.
  init?(_ line: Bytes) {
    guard let json = try? JSONSlice.parse(line), json.kind == .object else { return nil }
    if json["ready"]?.bool == true {
      self = .ready
      return
    }
    guard let identifier = json["id"]?.integer else { return nil }
    if let process = json["pid"]?.integer.flatMap(Int32.init(exactly:)), process > 0 {
      self = .forked(identifier, process)
    } else if let reason = json["error"]?.excerpt() {
      self = .failed(identifier, reason)
    } else if let status = json["exit"]?["status"]?.integer {
      self = .ended(identifier, .code(Int(status)))
    } else if let signal = json["exit"]?["signal"]?.integer {
      self = .ended(identifier, .signal(Int(signal)))
    } else {
      return nil
    }
  }
}
