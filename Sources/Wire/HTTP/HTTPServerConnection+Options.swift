public import Bytes

extension HTTPServerConnection {
  /// What the driver does next.
  public enum Event: Sendable {
    /// Answer this request.
    case request(HTTPRequestHead, RequestTarget, body: BodyFraming)
    /// The next bytes of the request's body; never empty.
    case body(Bytes)
    /// The request's body is complete.
    case end
    /// What was received cannot be served. Answer with the error's `statusHint`; the connection ends after that. The
    /// head is there if it could be read and has not been reported yet.
    case failed(HTTPProtocolError, HTTPRequestHead?)
    /// Write these bytes, then call again: the interim response 100.
    case send(Bytes)
    /// Read more bytes, then call again.
    case needsData
    /// Send FIN after all that was written, then call again.
    case shutdownOutput
    /// Close the connection.
    case close
  }

  /// How a connection is treated.
  public struct Options: Sendable {
    /// How large heads may be.
    public var limits = HTTPLimits()
    /// The longest request body in bytes (413), chunked ones included.
    public var maximumBodyLength = Int64.max
    /// The time-outs.
    public var timeouts = Timeouts()

    /// Limits that suit a server on its own or behind a proxy, and no time-outs.
    public init() {}
  }

  /// For how many nanoseconds the driver may wait for more bytes.
  public struct Timeouts: Sendable {
    /// The longest time that can be added to a clock.
    static let never = UInt64.max / 4

    /// For a next request. The connection is closed then.
    public var idle = never
    /// For the rest of a head, from its first byte on (408).
    public var head = never
    /// For the next bytes of a body (408).
    public var body = never
    /// For the client's FIN after ours.
    public var linger = never

    /// No time-outs.
    public init() {}
  }
}
