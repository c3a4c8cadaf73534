import Bytes
@testable import Wire

/// A connection with any input, and with time-outs, drains, evictions and the client's FIN in between. It must end or wait,
/// answer each request once, and send nothing after `Connection: close`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHTTPServerConnection(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = fuzzInput(start, count)
  guard !input.isEmpty else { return 0 }
  let first = input[0]
  var options = HTTPServerConnection.Options()
  options.maximumBodyLength = 1000
  options.timeouts.idle = 40
  options.timeouts.head = 30
  options.timeouts.body = 20
  options.timeouts.linger = 10
  let overLimit = HTTPProtocolError(.tooManyConnections, "too many")
  var driver = Driver(
    HTTPServerConnection(options: options, overLimit: first & 1 == 0 ? nil : overLimit),
    readsBodies: first & 2 == 0)
  driver.run()
  for piece in pieces(of: input[1...]) {
    driver.receive(piece)
    driver.disturb(by: piece[0])
  }
  driver.end()
  return 0
}

private struct Driver: ~Copyable {
  private var connection: HTTPServerConnection
  private var input = ByteBuffer()
  private let readsBodies: Bool
  private var now: UInt64 = 0
  private var isLast = false
  private var isClosed = false
  private var isAborted = false
  private var hasSentFIN = false

  init(_ connection: HTTPServerConnection, readsBodies: Bool) {
    self.connection = connection
    self.readsBodies = readsBodies
  }

  mutating func receive(_ bytes: Bytes) {
    connection.stopWaiting()
    input.append(bytes)
    run()
  }

  mutating func disturb(by byte: UInt8) {
    now += UInt64(byte % 8)
    if let deadline = connection.deadline, deadline <= now { connection.timeOut() }
    switch byte {
    case 0xF0: connection.receiveEOF()
    case 0xF1: connection.drain()
    case 0xF2: isAborted = !connection.evict() || isAborted
    default: break
    }
    run()
  }

  /// Every connection must end if no more input comes.
  mutating func end() {
    for _ in 0..<4 where !isClosed && !isAborted {
      now += 100
      guard let deadline = connection.deadline else { return check(false, "waits without a deadline") }
      check(deadline <= now, "waits for too long")
      connection.timeOut()
      run()
    }
    check(isClosed || isAborted, "does not end")
  }

  mutating func run() {
    if isAborted { return }
    for _ in 0..<10_000 {
      switch connection.nextEvent(&input) {
      case .request:
        check(!isLast && !isClosed, "a request after the last one")
        if !readsBodies { respond(200) }
      case .body(let bytes): check(!bytes.isEmpty, "an empty piece of a body")
      case .end: respond(200)
      case .failed(let error, _):
        check(error.statusHint != 500, "a fault of ours: \(error.message)")
        respond(error.statusHint)
      case .send: check(!isLast && readsBodies, "an interim response that nobody asked for")
      case .needsData:
        check(!isClosed, "reads after the end")
        return connection.startWaiting(at: now)
      case .shutdownOutput:
        check(!hasSentFIN && !isClosed, "a second FIN")
        hasSentFIN = true
      case .close:
        isClosed = true
        return
      }
    }
    check(false, "does not stop")
  }

  private mutating func respond(_ status: Int) {
    check(!isLast && !isClosed, "a response after the last one")
    do {
      var head = ByteBuffer()
      try connection.startResponse(status, length: 2, head: &head, unread: &input)
      isLast = String(head.takeAll()).contains("Connection: close")
      _ = try connection.sendBody(["ok"], isLast: true)
      check(connection.isResponseComplete, "a response that is not complete")
      connection.startNextCycle()
    } catch {
      check(false, "\(error)")
    }
  }
}
