import Bytes
@testable import Wire

/// Parses a stream of requests, whole and in pieces. Both must give the same result, and an accepted head that is written
/// again must not be read differently.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHTTPRequest(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = fuzzInput(start, count)
  let whole = read([input])
  let cut = read(pieces(of: input))
  check(whole == cut, "\(whole)\n--- in pieces:\n\(cut)")
  return 0
}

private struct Reading: Equatable {
  var heads: [HTTPRequestHead] = []
  var body: [UInt8] = []
  var trailers: [HTTPFields] = []
  /// Which error is found first depends on how much has arrived. Whether there is one does not.
  var isRefused = false
  var left = 0
}

private func read(_ pieces: [Bytes]) -> Reading {
  var reading = Reading()
  var parser = HTTPRequestParser()
  var buffer = ByteBuffer()
  do {
    for piece in pieces {
      buffer.append(piece)
      while let event = try parser.next(&buffer) {
        switch event {
        case .head(let head, let framing):
          checkHead(head, framing)
          reading.heads.append(head)
        case .body(let bytes):
          check(!bytes.isEmpty, "an empty piece of a body")
          reading.body += [UInt8](bytes)
        case .end(let trailers): reading.trailers.append(trailers)
        }
      }
    }
    reading.left = buffer.count
  } catch {
    reading.isRefused = true
  }
  return reading
}

private func checkHead(_ head: HTTPRequestHead, _ framing: BodyFraming) {
  let hasCoding = head.fields.first("Transfer-Encoding") != nil
  let lengths = head.fields.all("Content-Length")
  check(!hasCoding || (lengths.isEmpty && framing == .chunked), "a length beside a coding")
  check(lengths.count < 2, "two lengths")
  check(head.version == .http10 || head.fields.all("Host").count == 1, "not one host")
  _ = head.keepsConnection
  if let target = try? RequestTarget(head.target, method: head.method) {
    _ = try? target.decodedPath()
    _ = try? target.queryItems()
  }
  guard let written = try? head.encode() else { return check(false, "a head that cannot be written again") }
  var buffer = ByteBuffer()
  buffer.append(written)
  var parser = HTTPRequestParser()
  guard case .head(let again, let framingAgain)? = try? parser.next(&buffer) else {
    return check(false, "a head that cannot be read again: \(written)")
  }
  check(
    again == head && framingAgain == framing && buffer.isEmpty, "a head that reads differently: \(written)")
}
