public import Loop
public import Bytes
public import Wire

/// The body of a request, read when it is asked for: as long as nobody asks, the client has to wait.
///
/// What has not been read when the answer begins is passed over.
@LoopActor
public final class RequestBody {
  /// How its end is found.
  public let framing: BodyFraming

  private enum State {
    case unread
    case reading
    case ended
    case abandoned
  }

  private let connection: HTTPConnection
  private let expectsContinue: Bool
  private var state: State
  private var received: Int64 = 0
  /// Its share of the memory of bodies, once it has one.
  private var memory: BodyMemoryAccount.Body?

  init(_ framing: BodyFraming, of connection: HTTPConnection, expectsContinue: Bool) {
    self.framing = framing
    self.connection = connection
    self.expectsContinue = expectsContinue
    self.state = .unread
  }

  /// The length where it is known before reading; nil for chunked bodies.
  public var length: Int64? {
    switch framing {
    case .none: 0
    case .length(let length): length
    case .chunked, .untilClose: nil
    }
  }

  /// The next bytes, nil at the end. A client that waits for `100 Continue` is sent it first.
  ///
  /// Throws `HTTPErrorResponse` where the body breaks off (400), stands still (408), is too long (413) or not well formed
  /// (400), and `ClientIsGone`.
  public func next() async throws -> Bytes? {
    switch state {
    case .unread: try await begin()
    case .reading: break
    case .ended: return nil
    case .abandoned:
      throw HTTPErrorResponse(500, "The body of a request was asked for after the answer had begun")
    }
    while true {
      switch try take() {
      case .part(let bytes): return bytes
      case .end: return nil
      case .notYet:
        guard try await connection.fillBody() else {
          throw HTTPErrorResponse(400, "The request's body ends before its end")
        }
      }
    }
  }

  /// The whole body, of at most `limit` bytes. It counts as memory of bodies until the request is answered.
  ///
  /// Throws as `next` does, 413 at once where the length is known and too much, and `HTTPErrorResponse` 503 where other bodies
  /// leave no memory for too long.
  public func collect(limit: Int) async throws -> Bytes {
    let tooLong = HTTPErrorResponse(413, "The request's body is longer than \(limit) bytes")
    if let length, length > limit { throw tooLong }
    guard let first = try await next() else { return Bytes() }
    guard first.count <= limit else { throw tooLong }
    var collector = BodyCollector(length: length.map { Int($0) })
    try await takeMemory(collector.charge(for: first))
    guard var piece = try await next() else {
      endMemory()
      return first
    }
    collector.append(first)
    repeat {
      guard piece.count <= limit - collector.count else { throw tooLong }
      try await takeMemory(collector.charge(for: piece))
      collector.append(piece)
      guard let next = try await next() else { break }
      piece = next
    } while true
    endMemory()
    return try await collector.takeAll()
  }

  /// The request is answered: what was collected is in memory no more.
  func freeMemory() {
    if let memory { connection.server.bodyMemory.free(memory) }
    memory = nil
  }

  /// While the body waits for memory nothing more of it is read, so its client waits, too.
  private func takeMemory(_ count: Int) async throws {
    guard count > 0 else { return }
    let memory = self.memory ?? connection.server.bodyMemory.newBody()
    self.memory = memory
    try await connection.server.bodyMemory.take(count, for: memory) { connection.stopReading() }
  }

  private func endMemory() {
    if let memory { connection.server.bodyMemory.end(memory) }
  }

  /// Passes over what has arrived of it; true when that was all, so that the connection can go on.
  func passOver() -> Bool {
    guard state != .ended else { return true }
    defer { if state != .ended { state = .abandoned } }
    while let taken = try? take() {
      switch taken {
      case .part: continue
      case .end: return true
      case .notYet: return false
      }
    }
    return false
  }

  private func begin() async throws {
    state = .reading
    guard framing != .none, expectsContinue, connection.hasNothingUnread else { return }
    try await connection.write([RequestBody.continueLine])
  }

  private static let continueLine: Bytes = "HTTP/1.1 100 Continue\r\n\r\n"

  private enum Taken {
    case part(Bytes)
    case end
    case notYet
  }

  /// The next part of what has arrived.
  private func take() throws(HTTPErrorResponse) -> Taken {
    switch try connection.nextEvent() {
    case .body(let bytes):
      received += Int64(bytes.count)
      guard received <= connection.options.maximumBodyLength else { throw connection.bodyTooLong }
      return .part(bytes)
    case .end:
      state = .ended
      return .end
    case .head, nil: return .notYet
    }
  }
}
