/// What is wrong with a message, and the status that a server answers it with.
public struct HTTPProtocolError: Error, Sendable, Equatable {
  /// The kinds of fault, each with one status.
  public enum Kind: Sendable, Equatable {
    /// A request or status line that does not have the form of RFC 9112, 3 or 4.
    case malformedStartLine
    /// A field line that does not have the form of RFC 9112, 5.
    case malformedField
    /// CR or LF on its own.
    case malformedLineEnding
    /// No `Host`, several, or one that names no host (RFC 9112, 3.2).
    case malformedHost
    /// A request target in none of the forms of RFC 9112, 3.2, or with a wrong percent-encoding.
    case malformedTarget
    /// `Content-Length` and `Transfer-Encoding` that leave the length in doubt (RFC 9112, 6.3).
    case ambiguousLength
    /// A chunk that does not have the form of RFC 9112, 7.1.
    case malformedChunk
    /// A connection that ended in the middle of a message.
    case truncated
    /// A request target over its limit.
    case targetTooLong
    /// A field or trailer section over its limit.
    case fieldsTooLong
    /// A transfer coding other than chunked.
    case unknownTransferCoding
    /// A major version other than 1.
    case unknownVersion
    /// A body over its limit.
    case bodyTooLong
    /// An `Expect` other than `100-continue` (RFC 9110, 10.1.1).
    case unsupportedExpectation
    /// A part of a request that did not come in time.
    case timedOut
    /// A connection over the server's limit.
    case tooManyConnections
    /// Something of ours that cannot be written down, such as a line break in a field's value.
    case unwritable
    /// A response that the server must not send now, such as a second one: a fault of ours, not of the peer.
    case misuse
  }

  /// What kind of fault it is.
  public let kind: Kind
  /// One line for people.
  public let message: String

  /// An error of `kind`.
  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  /// The status to answer with, where there is somebody to answer.
  public var statusHint: Int {
    switch kind {
    case .malformedStartLine, .malformedField, .malformedLineEnding, .malformedHost, .malformedTarget,
      .ambiguousLength, .malformedChunk, .truncated:
      400
    case .timedOut: 408
    case .bodyTooLong: 413
    case .targetTooLong: 414
    case .unsupportedExpectation: 417
    case .fieldsTooLong: 431
    case .unknownTransferCoding: 501
    case .unknownVersion: 505
    case .tooManyConnections: 503
    case .unwritable, .misuse: 500
    }
  }
}
