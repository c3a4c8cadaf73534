import Bytes

/// The channels of a kernel, as they are called in WebSocket messages.
public enum KernelChannelName: String, Sendable, CaseIterable {
  /// Requests and their replies, one after the other.
  case shell
  /// What the kernel says to everybody: output and its status.
  case iopub
  /// Requests that do not wait behind those on `shell`: interrupt, shut down.
  case control
  /// The kernel's questions to the person in front.
  case stdin
  /// Signs of life.
  case heartbeat = "hb"

  /// The channel with this name.
  init?(_ name: Bytes) {
    guard let channel = Self.allCases.first(where: { name == Bytes($0.rawValue) }) else { return nil }
    self = channel
  }
}

/// One message as it travels: its parts are JSON that nobody has looked at, and slices of what was received. The binary
/// buffers that a message may have behind them are not kept: only widgets use them.
struct KernelFrame: Sendable, Equatable {
  /// Where the message belongs.
  var channel: KernelChannelName
  /// The message's own header, a JSON object.
  var header: Bytes
  /// The header of the message that this one answers, a JSON object; `{}` if it answers none.
  var parentHeader: Bytes
  /// A JSON object.
  var metadata: Bytes
  /// A JSON object whose members depend on the type that the header names.
  var content: Bytes

  /// A message of these parts.
  init(
    channel: KernelChannelName, header: Bytes, parentHeader: Bytes = "{}", metadata: Bytes = "{}",
    content: Bytes = "{}"
  ) {
    self.channel = channel
    self.header = header
    self.parentHeader = parentHeader
    self.metadata = metadata
    self.content = content
  }
}

/// Why bytes are no message of a kernel, or a message cannot be written.
struct KernelFramingError: Error, Equatable, Sendable, CustomStringConvertible {
  /// One line for people.
  let description: String

  init(_ description: String) { self.description = description }
}
