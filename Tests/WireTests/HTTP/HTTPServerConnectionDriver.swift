import Bytes
import Testing

@testable import Wire

/// Drives an `HTTPServerConnection` as a server would, without a socket and without a clock.
///
/// Requests are answered 200 with their method, target and body, errors with their status. `output` is what the client
/// receives, `FIN` and `CLOSE` included.
final class HTTPServerConnectionDriver {
  enum Handler {
    case echoesBody
    case ignoresBody
  }

  var connection: HTTPServerConnection
  var handler: Handler
  var input = ByteBuffer()
  var output = ""
  var now: UInt64 = 0
  private var request: HTTPRequestHead?
  private var body = ""

  init(
    _ options: HTTPServerConnection.Options = .init(), overLimit: HTTPProtocolError? = nil,
    handler: Handler = .echoesBody
  ) {
    connection = HTTPServerConnection(options: options, overLimit: overLimit)
    self.handler = handler
    run()
  }

  func receive(_ text: String) { receive(Array(text.utf8)) }

  func receive(_ bytes: [UInt8]) {
    connection.stopWaiting()
    input.append(contentsOf: bytes)
    run()
  }

  func receiveEOF() {
    connection.stopWaiting()
    connection.receiveEOF()
    run()
  }

  /// Moves the clock, and reports a deadline that has passed.
  func advance(to time: UInt64) {
    now = time
    if let deadline = connection.deadline, deadline <= now {
      connection.timeOut()
      run()
    }
  }

  /// Does what the connection says until it waits for bytes or is closed.
  func run() {
    while true {
      switch connection.nextEvent(&input) {
      case .request(let head, _, _):
        request = head
        body = ""
        if handler == .ignoresBody { respond(200, "ignored") }
      case .body(let bytes): body += String(bytes)
      case .end: respond(200, "\(request?.method ?? "") \(request?.target ?? "") \(body)")
      case .failed(let error, let head): respond(error.statusHint, head.map { "\($0.target)" } ?? "")
      case .send(let bytes): output += String(bytes)
      case .needsData: return connection.startWaiting(at: now)
      case .shutdownOutput: output += "FIN "
      case .close:
        output += "CLOSE"
        return
      }
    }
  }

  private func respond(_ status: Int, _ text: String) {
    do {
      var head = ByteBuffer("\(status) ".utf8)
      try connection.startResponse(status, length: Int64(text.utf8.count), head: &head, unread: &input)
      output += String(head.takeAll())
      for piece in try connection.sendBody([Bytes(text)], isLast: true) { output += String(piece) }
      output += "\n"
      connection.startNextCycle()
    } catch {
      Issue.record(error)
    }
  }
}

/// Expects the output of a new connection for `text`, however that is split.
func expectOutput(
  of text: String, _ expected: String, options: HTTPServerConnection.Options = .init(),
  handler: HTTPServerConnectionDriver.Handler = .echoesBody, feedings: [Feeding] = Feeding.allCases,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  for feeding in feedings {
    let driver = HTTPServerConnectionDriver(options, handler: handler)
    for piece in feeding.pieces(Array(text.utf8)) { driver.receive(piece) }
    #expect(driver.output == expected, "\(feeding)", sourceLocation: sourceLocation)
  }
}

/// A response as the driver writes it.
func response(_ status: Int, _ fields: String..., body: String) -> String {
  let lines = ["Content-Length: \(body.utf8.count)"] + fields
  return "\(status) " + lines.map { $0 + "\r\n" }.joined() + "\r\n" + body + "\n"
}
