import Bytes

@testable import Wire

/// Parses a stream of responses, whole and in pieces. The first byte chooses the method of the request.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHTTPResponse(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard count > 0 else { return 0 }
  let input = fuzzInput(start, count)
  let method = input[0] & 1 == 0 ? "GET" : "HEAD"
  let rest = input[1...]
  let whole = read([rest], method)
  let cut = read(pieces(of: rest), method)
  check(whole == cut, "\(whole)\n--- in pieces:\n\(cut)")
  return 0
}

private struct Reading: Equatable {
  var heads: [HTTPResponseHead] = []
  var body: [UInt8] = []
  var trailers: [HTTPFields] = []
  /// Which error is found first depends on how much has arrived. Whether there is one does not.
  var isRefused = false
  var left = 0
}

private func read(_ pieces: [Bytes], _ method: String) -> Reading {
  var reading = Reading()
  var parser = HTTPResponseParser(requestMethod: method)
  var buffer = ByteBuffer()
  func add(_ event: HTTPResponseParser.Event) {
    switch event {
    case .head(let head, _):
      check((try? head.encode()) != nil, "a head that cannot be written again")
      _ = head.keepsConnection
      reading.heads.append(head)
    case .body(let bytes): reading.body += [UInt8](bytes)
    case .end(let trailers): reading.trailers.append(trailers)
    }
  }
  do {
    for piece in pieces {
      buffer.append(piece)
      while let event = try parser.next(&buffer) { add(event) }
    }
    reading.left = buffer.count
    if let event = try parser.finish() { add(event) }
  } catch {
    reading.isRefused = true
  }
  return reading
}
