public import Bytes

/// The client's side of the opening handshake (RFC 6455, section 4.1).
public struct WebSocketHandshake: Sendable {
  /// The GUID after the key in the text whose SHA-1 is `Sec-WebSocket-Accept` (RFC 6455, section 1.3).
  public static let acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

  private let key: String
  private let acceptValue: Bytes
  private let subprotocols: [Bytes]

  /// A handshake that offers `subprotocols` in order of preference.
  /// - Parameters:
  ///   - key: `Sec-WebSocket-Key`: 16 random bytes in base64.
  ///   - acceptValue: `Sec-WebSocket-Accept`: the SHA-1 of the key and `acceptSuffix` in base64.
  public init(key: String, acceptValue: String, subprotocols: [Bytes] = []) {
    self.key = key
    self.acceptValue = Bytes(acceptValue)
    self.subprotocols = subprotocols
  }

  /// The request to send, with additional `fields` such as authorization and cookies.
  public func request(target: String, host: String, fields: HTTPFields = HTTPFields()) -> HTTPRequestHead {
    var all: HTTPFields = [
      "Host": host, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": key,
      "Sec-WebSocket-Version": "13",
    ]
    if !subprotocols.isEmpty {
      all.append("Sec-WebSocket-Protocol", Bytes.join(subprotocols, separator: ", "))
    }
    for field in fields.lines { all.append(field.name, field.value) }
    return HTTPRequestHead(method: "GET", target: target, fields: all)
  }

  /// Checks the response. Returns the subprotocol that the server chose; nil if it chose none.
  public func accept(_ response: HTTPResponseHead) throws(WebSocketError) -> Bytes? {
    guard response.status == 101 else {
      throw WebSocketError(
        .refused(status: response.status), "The WebSocket was refused: \(response.status) \(response.reason)")
    }
    let fields = response.fields
    guard fields.list("Upgrade", contains: "websocket"), fields.list("Connection", contains: "upgrade") else {
      throw invalid("The response to the WebSocket handshake upgrades to another protocol")
    }
    guard fields.all("Sec-WebSocket-Accept") == [acceptValue] else {
      throw invalid("The response to the WebSocket handshake has a wrong Sec-WebSocket-Accept")
    }
    guard fields.all("Sec-WebSocket-Extensions").allSatisfy(\.isEmpty) else {
      throw invalid("The response to the WebSocket handshake has an extension that was not offered")
    }
    let chosen = fields.all("Sec-WebSocket-Protocol")
    guard chosen.count <= 1, chosen.allSatisfy(subprotocols.contains) else {
      throw invalid("The response to the WebSocket handshake has a subprotocol that was not offered")
    }
    return chosen.first
  }

  private func invalid(_ message: String) -> WebSocketError { WebSocketError(.invalidHandshake, message) }
}
