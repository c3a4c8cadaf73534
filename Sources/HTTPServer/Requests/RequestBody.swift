public import Loop
public import Bytes
import Wire

/// The body of a request, which is read on demand: until then the client waits.
///
/// The unread rest is discarded when the response begins.
@LoopActor
public final class RequestBody {
  let framing: BodyFraming
  private let connection: HTTPConnection
  /// Its memory, once it is collected.
  private var memory: BodyMemoryAccount.Body?

  init(_ framing: BodyFraming, of connection: HTTPConnection) {
    self.framing = framing
    self.connection = connection
  }

  /// In bytes; nil for chunked bodies.
  public var length: Int64? {
    switch framing {
    case .none: 0
    case .length(let length): length
    case .chunked, .untilClose: nil
    }
  }

  /// The next bytes; nil at the end. Sends `100 Continue` to a client that waits for it.
  ///
  /// Throws `HTTPErrorResponse` if the body is truncated (400), stops (408), is too long (413) or malformed (400), and
  /// `ClientDisconnected`.
  public func next() async throws -> Bytes? {
    while true {
      // A task that outlives its request must not read the next one.
      guard connection.body === self else {
        throw HTTPErrorResponse(500, "The body of a request was asked for after its response")
      }
      switch connection.nextEvent() {
      case .body(let bytes): return bytes
      case .end: return nil
      case .send(let bytes): try await connection.write([bytes])
      case .needsData: try await connection.fill()
      case .failed(let error, _): throw HTTPErrorResponse(error)
      case .request, .shutdownOutput, .close: throw CancellationError()
      }
    }
  }

  /// The whole body, of at most `limit` bytes. It counts as memory of bodies until the request is answered.
  ///
  /// Throws as `next` does, 413 before reading if the length is known and too large, and `HTTPErrorResponse` 503 if
  /// other bodies use the memory for too long.
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

  /// Frees the memory of the collected body, after the response.
  func freeMemory() {
    if let memory { connection.server.bodyMemory.free(memory) }
    memory = nil
  }

  /// Nothing is read while the body waits for memory, so the client has to wait too.
  private func takeMemory(_ count: Int) async throws {
    guard count > 0 else { return }
    let memory = self.memory ?? connection.server.bodyMemory.newBody()
    self.memory = memory
    try await connection.server.bodyMemory.take(count, for: memory) { connection.pauseInput() }
  }

  private func endMemory() {
    if let memory { connection.server.bodyMemory.end(memory) }
  }
}
