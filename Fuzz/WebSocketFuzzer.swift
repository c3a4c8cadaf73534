import Bytes
@testable import Wire

/// Parses what a server sends, whole and in pieces.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzWebSocket(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = fuzzInput(start, count)
  let whole = read([input])
  let cut = read(pieces(of: input))
  check(whole == cut, "\(whole)\n--- in pieces:\n\(cut)")
  return 0
}

private let longLength = 500

private struct Reading: Equatable {
  var events: [WebSocketEvent] = []
  var error: WebSocketError?
  var left = 0
}

private func read(_ pieces: [Bytes]) -> Reading {
  let limit = 1000
  var reading = Reading()
  var parser = WebSocketParser(maximumMessageLength: limit, longLength: longLength)
  var buffer = ByteBuffer()
  do {
    for piece in pieces {
      buffer.append(piece)
      while let event = try parser.next(&buffer) {
        checkEvent(event, limit: limit)
        reading.events.append(event)
      }
      let count = buffer.count
      check(parser.wantedTotal.map { $0 > count && $0 <= limit + 10 } ?? true, "a wanted total that is there")
    }
    reading.left = buffer.count
  } catch {
    reading.error = error
    check(error.closeCode != nil, "an error without a code")
  }
  return reading
}

private func checkEvent(_ event: WebSocketEvent, limit: Int) {
  switch event {
  case .message(let bytes, let isText):
    check(bytes.count <= limit, "a message over the limit")
    check(!isText || bytes.count > longLength || String(validating: bytes) != nil, "text that is not UTF-8")
  case .pieces(let pieces, _):
    let count = pieces.reduce(0) { $0 + $1.count }
    check(count > longLength && count <= limit && pieces.count > 1, "pieces of what is not long")
    check(WebSocketParser.join(pieces).count == count, "pieces that do not join")
  case .ping(let bytes), .pong(let bytes): check(bytes.count <= 125, "a long control frame")
  case .close(let code, let reason): check(code != nil || reason.isEmpty, "a reason without a code")
  }
}
