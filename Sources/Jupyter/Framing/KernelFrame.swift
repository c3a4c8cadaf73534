import Bytes

/// The channels of a kernel, by their names in WebSocket messages.
public enum KernelChannelName: String, Sendable, CaseIterable {
  /// Requests and their replies, in order.
  case shell
  /// What the kernel publishes to all clients: output and its status.
  case iopub
  /// Requests that do not wait behind those on `shell`: interrupt, shut down.
  case control
  /// The kernel's requests for input from the user.
  case stdin
  /// Heartbeats.
  case heartbeat = "hb"

  /// The channel with this name.
  init?(_ name: Bytes) {
    guard let channel = Self.allCases.first(where: { name == Bytes($0.rawValue) }) else { return nil }
    self = channel
  }
}

/// A message in transit. Its parts are JSON that is not parsed yet, in slices of the received bytes. The binary
/// buffers that may follow are dropped: only widgets use them.
struct KernelFrame: Sendable, Equatable {
  var channel: KernelChannelName
  /// The message's own header, a JSON object.
  var header: Bytes
  /// The header of the message that this one answers, a JSON object; `{}` if it answers none.
  var parentHeader: Bytes
  /// A JSON object.
  var metadata: Bytes
  /// A JSON object whose members depend on the type that the header names.
  var content: Bytes

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

  /// How many bytes its parts have, without signature and framing.
  var length: Int { header.count + parentHeader.count + metadata.count + content.count }
}

/// Why bytes are not a message of a kernel.
struct KernelFramingError: Error, Equatable, Sendable, CustomStringConvertible {
  /// One line for people.
  let description: String

  init(_ description: String) { self.description = description }
}
