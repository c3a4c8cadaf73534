import Bytes
import Testing

@testable import Wire

/// FIN, time-outs, draining and the limit of connections.
@Suite struct HTTPServerConnectionEndTests {
  private static let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
  private static let served = response(200, body: "GET / ")
  private static let servedLast = response(200, "Connection: close", body: "GET / ")
  private static let put = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"

  private static func failed(_ status: Int) -> String { response(status, "Connection: close", body: "") }

  private var options: HTTPServerConnection.Options {
    var options = HTTPServerConnection.Options()
    options.timeouts.idle = 1000
    options.timeouts.head = 300
    options.timeouts.body = 200
    options.timeouts.linger = 50
    return options
  }

  private let overLimit = HTTPProtocolError(.tooManyConnections, "too many")

  // MARK: FIN

  @Test(arguments: ["", get + get, get + "GET / HT"])
  func `the client's FIN ends the connection after what came before`(_ text: String) {
    let driver = HTTPServerConnectionDriver()
    driver.receive(text)
    driver.receiveEOF()
    let count = text.split(separator: "\r\n\r\n", omittingEmptySubsequences: false).count - 1
    #expect(driver.output == String(repeating: Self.served, count: count) + "FIN CLOSE")
  }

  @Test func `FIN within a body is an error`() {
    let driver = HTTPServerConnectionDriver()
    driver.receive(Self.put + "ab")
    driver.receiveEOF()
    #expect(driver.output == Self.failed(400) + "FIN CLOSE")
  }

  @Test func `what a lingering connection receives is discarded until FIN`() {
    let driver = HTTPServerConnectionDriver()
    driver.receive("nonsense\r\n")
    for _ in 0..<10 { driver.receive(Self.get) }
    #expect(driver.output == Self.failed(400) + "FIN " && driver.input.isEmpty)
    driver.receiveEOF()
    #expect(driver.output.hasSuffix("FIN CLOSE"))
  }

  // MARK: Time-outs

  @Test func `an idle connection is closed`() {
    let driver = HTTPServerConnectionDriver(options)
    driver.advance(to: 900)
    driver.receive(Self.get)
    driver.advance(to: 1899)
    #expect(driver.output == Self.served)
    driver.advance(to: 1900)
    #expect(driver.output == Self.served + "CLOSE")
  }

  @Test func `the time-out of a head begins with its first byte`() {
    var driver = HTTPServerConnectionDriver(options)
    driver.advance(to: 100)
    for (time, byte) in zip(stride(from: UInt64(100), to: 400, by: 50), "GET / ") {
      driver.advance(to: time)
      driver.receive(String(byte))
    }
    driver.advance(to: 399)
    #expect(driver.output == "")
    driver.advance(to: 400)
    #expect(driver.output == Self.failed(408) + "FIN ")
    // The next head has its own time.
    driver = HTTPServerConnectionDriver(options)
    driver.advance(to: 290)
    driver.receive(Self.get + "G")
    driver.advance(to: 500)
    #expect(driver.output == Self.served)
  }

  @Test func `a body may pause at any place`() {
    let driver = HTTPServerConnectionDriver(options)
    driver.receive(Self.put)
    driver.advance(to: 150)
    driver.receive("a")
    driver.advance(to: 349)
    #expect(driver.output == "")
    driver.advance(to: 350)
    #expect(driver.output == Self.failed(408) + "FIN ")
  }

  @Test func `nothing times out while a request is answered`() {
    var connection = HTTPServerConnection(options: options)
    var input = ByteBuffer(Self.get.utf8)
    connection.startWaiting(at: 0)
    connection.stopWaiting()
    _ = connection.nextEvent(&input)
    #expect(connection.deadline == nil)
  }

  @Test func `lingering lasts while the client sends, but no longer than for a body`() {
    var driver = HTTPServerConnectionDriver(options)
    driver.receive("nonsense\r\n")
    for time in stride(from: UInt64(40), through: 160, by: 40) {
      driver.advance(to: time)
      driver.receive("more")
    }
    driver.advance(to: 199)
    #expect(driver.output.hasSuffix("FIN "))
    driver.advance(to: 200)
    #expect(driver.output.hasSuffix("FIN CLOSE"))
    driver = HTTPServerConnectionDriver(options)
    driver.receive("nonsense\r\n")
    driver.advance(to: 50)
    #expect(driver.output.hasSuffix("FIN CLOSE"))
  }

  // MARK: Draining

  @Test func `an idle connection is closed, and another after its response`() {
    var driver = HTTPServerConnectionDriver()
    driver.receive(Self.get)
    driver.connection.drain()
    driver.run()
    #expect(driver.output == Self.served + "CLOSE")
    driver = HTTPServerConnectionDriver()
    driver.receive(Self.put + "ab")
    driver.connection.drain()
    driver.receive("c" + Self.get)
    #expect(driver.output == response(200, "Connection: close", body: "PUT / abc") + "FIN ")
  }

  @Test func `a head that has begun is served`() {
    let driver = HTTPServerConnectionDriver()
    driver.receive("GET / HTTP")
    driver.connection.drain()
    driver.run()
    driver.receive("/1.1\r\nHost: a\r\n\r\n")
    #expect(driver.output == Self.servedLast + "FIN ")
  }

  @Test func `a kept connection ends before the next request`() throws {
    var connection = HTTPServerConnection(options: .init())
    var input = ByteBuffer(Self.get.utf8)
    var output = ByteBuffer()
    _ = connection.nextEvent(&input)
    try connection.startResponse(200, length: 0, head: &output, unread: &input)
    connection.drain()
    _ = try connection.sendBody([], isLast: true)
    connection.startNextCycle()
    guard case .shutdownOutput = connection.nextEvent(&input) else {
      Issue.record("goes on")
      return
    }
  }

  // MARK: Over the limit

  @Test func `a connection over the limit serves one request`() {
    let driver = HTTPServerConnectionDriver(overLimit: overLimit)
    driver.receive(Self.get + Self.get)
    #expect(driver.output == Self.servedLast + "FIN ")
    driver.receive(String(repeating: "x", count: 64 << 10))
    #expect(driver.output == Self.servedLast + "FIN CLOSE")
  }

  @Test(arguments: ["", "GET"])
  func `a connection over the limit is refused after the linger time-out`(_ text: String) {
    let driver = HTTPServerConnectionDriver(options, overLimit: overLimit)
    if !text.isEmpty { driver.receive(text) }
    driver.advance(to: 50)
    #expect(driver.output == Self.failed(503) + "FIN ")
    driver.receive("more")
    driver.advance(to: 100)
    #expect(driver.output == Self.failed(503) + "FIN CLOSE")
  }

  @Test(arguments: ["", "GET"])
  func `an evicted connection is refused at once and does not linger`(_ text: String) {
    let driver = HTTPServerConnectionDriver(overLimit: overLimit)
    driver.receive(text)
    let isWaiting = driver.connection.evict()
    driver.run()
    #expect(isWaiting && driver.output == Self.failed(503) + "CLOSE")
  }

  @Test func `an evicted connection is aborted during a response, and closed while it lingers`() {
    var driver = HTTPServerConnectionDriver(overLimit: overLimit)
    driver.receive(Self.put)
    let isIdle = driver.connection.evict()
    #expect(!isIdle)
    driver = HTTPServerConnectionDriver(overLimit: overLimit)
    driver.receive(Self.get)
    let isWaiting = driver.connection.evict()
    driver.run()
    #expect(isWaiting && driver.output == Self.servedLast + "FIN CLOSE")
  }
}
