/// A fault of a message, with the status of the response to it.
public struct HTTPProtocolError: Error, Sendable, Equatable {
  /// Each kind has one status.
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
    /// `Content-Length` and `Transfer-Encoding` that make the length ambiguous (RFC 9112, 6.3).
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
    /// A message of ours that cannot be encoded, such as one with a line break in a field's value.
    case unwritable
    /// A response of ours at the wrong time, such as a second one to the same request.
    case misuse
  }

  /// The kind of fault.
  let kind: Kind
  /// One line for people.
  public let message: String

  /// An error of `kind`.
  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  /// The status to answer the peer's fault with; 500 for a fault of ours.
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
