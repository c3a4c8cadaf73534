import Bytes
@testable import Wire

/// Parses what a peer sends to a DEALER socket, whole and in pieces.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzZMTP(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = fuzzInput(start, count)
  let whole = read([input])
  let cut = read(pieces(of: input))
  check(whole == cut, "\(whole)\n--- in pieces:\n\(cut)")
  // A message that was parsed must be parsed again from its own encoding.
  for case .message(let parts) in whole.events {
    let again = read([ZMTPGreeting.encoded] + ZMTPFrame.encodeReady(.router) + ZMTPFrame.encode(parts))
    check(again.events == [.greeting, .ready(.router), .message(parts)], "\(parts)\n--- became:\n\(again)")
  }
  return 0
}

private struct Reading: Equatable {
  var events: [ZMTPEvent] = []
  var error: ZMTPError?
  var left = 0
}

private func read(_ pieces: [Bytes]) -> Reading {
  let limit = 1000
  var reading = Reading()
  var parser = ZMTPParser(for: .dealer, maximumMessageLength: limit)
  var buffer = ByteBuffer()
  do {
    for piece in pieces {
      buffer.append(piece)
      while let event = try parser.next(&buffer) {
        checkEvent(event, after: reading.events, limit: limit)
        reading.events.append(event)
      }
      let count = buffer.count
      check(parser.wantedTotal.map { $0 > count } ?? true, "a wanted total that is there")
    }
    reading.left = buffer.count
  } catch {
    reading.error = error
  }
  return reading
}

private func checkEvent(_ event: ZMTPEvent, after events: [ZMTPEvent], limit: Int) {
  switch event {
  case .greeting: check(events.isEmpty, "a greeting that does not come first")
  case .ready(let type): check(type == .router || type == .dealer, "a peer that dealers do not speak to")
  case .ping: check(!events.isEmpty, "a ping before the greeting")
  case .message(let parts):
    check(!parts.isEmpty && parts.reduce(0) { $0 + $1.count } <= limit, "a message over the limit")
    check(
      events.contains { if case .ready = $0 { true } else { false } }, "a message before the peer is ready")
  }
}
