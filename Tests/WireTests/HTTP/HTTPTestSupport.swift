import Bytes
import Testing

@testable import Wire

/// The events of a parser in short form, and the error that ended them.
struct Reading: Equatable, CustomStringConvertible {
  var lines: [String] = []
  var failure: HTTPProtocolError.Kind?
  var rest = ""

  var description: String {
    (lines + ["failure: \(failure.map { "\($0)" } ?? "none")", "rest: \(rest)"]).joined(separator: "\n")
  }

  /// Joins the pieces of a body: their boundaries are not compared.
  mutating func addBody(_ bytes: Bytes) {
    #expect(!bytes.isEmpty)
    if let last = lines.last, last.hasPrefix("body ") {
      lines[lines.count - 1] = last + String(bytes)
    } else {
      lines.append("body " + String(bytes))
    }
  }

  mutating func addFields(_ fields: HTTPFields) {
    for field in fields.lines { lines.append("  \(field.name): \(field.value)") }
  }

  mutating func addEnd(_ trailers: HTTPFields) {
    lines.append("end")
    addFields(trailers)
  }
}

/// How the bytes of a case are split.
enum Feeding: CaseIterable {
  case whole
  case byteByByte
  case inThrees

  func pieces(_ input: [UInt8]) -> [[UInt8]] {
    let length =
      switch self {
      case .whole: max(input.count, 1)
      case .byteByByte: 1
      case .inThrees: 3
      }
    return stride(from: 0, to: input.count, by: length).map {
      Array(input[$0..<min($0 + length, input.count)])
    }
  }
}

/// Reads at most `count` requests; the rest stays in the buffer.
func readRequests(
  _ input: [UInt8], _ feeding: Feeding, limits: HTTPLimits = HTTPLimits(), upTo count: Int = .max
) -> Reading {
  var parser = HTTPRequestParser(limits: limits)
  var buffer = ByteBuffer()
  var reading = Reading()
  var ended = 0
  for piece in feeding.pieces(input) {
    buffer.append(contentsOf: piece)
    do {
      while ended < count, let event = try parser.next(&buffer) {
        switch event {
        case .head(let head, let body):
          reading.lines.append("\(head.method) \(head.target) \(head.version) \(body)")
          reading.addFields(head.fields)
        case .body(let bytes): reading.addBody(bytes)
        case .end(let trailers):
          reading.addEnd(trailers)
          ended += 1
        }
      }
    } catch {
      reading.failure = error.kind
      #expect(throws: error) { _ = try parser.next(&buffer) }
      return reading
    }
  }
  reading.rest = String(buffer.takeAll())
  return reading
}

/// Reads responses to `method`; then the connection ends.
func readResponses(
  _ input: [UInt8], _ feeding: Feeding, to method: String = "GET", limits: HTTPLimits = HTTPLimits(),
  upTo count: Int = .max
) -> Reading {
  var parser = HTTPResponseParser(requestMethod: method, limits: limits)
  var buffer = ByteBuffer()
  var reading = Reading()
  var ended = 0
  func add(_ event: HTTPResponseParser.Event) {
    switch event {
    case .head(let head, let body):
      reading.lines.append("\(head.status) \(head.reason) \(head.version) \(body)")
      reading.addFields(head.fields)
    case .body(let bytes): reading.addBody(bytes)
    case .end(let trailers):
      reading.addEnd(trailers)
      ended += 1
    }
  }
  do {
    for piece in feeding.pieces(input) {
      buffer.append(contentsOf: piece)
      while ended < count, let event = try parser.next(&buffer) { add(event) }
    }
    if ended < count, let event = try parser.finish() { add(event) }
  } catch {
    reading.failure = error.kind
    return reading
  }
  reading.rest = String(buffer.takeAll())
  return reading
}

/// Expects the same events however a request is split, even with another request or garbage after it.
func expectRequest(
  _ text: String, _ lines: [String], limits: HTTPLimits = HTTPLimits(),
  sourceLocation: SourceLocation = #_sourceLocation
) {
  for feeding in Feeding.allCases {
    for trailing in ["", "GET /next HTTP/1.1\r\nHost: b\r\n\r\n", "\0\r\n nonsense"] {
      let reading = readRequests(Array((text + trailing).utf8), feeding, limits: limits, upTo: 1)
      #expect(
        reading == Reading(lines: lines, rest: trailing), "\(feeding), then \(trailing.debugDescription)",
        sourceLocation: sourceLocation)
    }
  }
}

/// Expects the same error however the bytes are split, even with more bytes after them.
func expectRefusedRequest(
  _ text: String, _ kind: HTTPProtocolError.Kind, limits: HTTPLimits = HTTPLimits(),
  sourceLocation: SourceLocation = #_sourceLocation
) {
  for feeding in Feeding.allCases {
    for trailing in ["", "GET /next HTTP/1.1\r\nHost: b\r\n\r\n"] {
      let reading = readRequests(Array((text + trailing).utf8), feeding, limits: limits)
      #expect(
        reading.failure == kind, "\(feeding), then \(trailing.debugDescription)\n\(reading)",
        sourceLocation: sourceLocation)
      #expect(!reading.lines.contains { $0.hasPrefix("GET /next") }, sourceLocation: sourceLocation)
    }
  }
}

func expectResponse(
  _ text: String, to method: String = "GET", _ lines: [String],
  trailings: [String] = ["", "HTTP/1.1 200 OK\r\n\r\n", "\0x"],
  sourceLocation: SourceLocation = #_sourceLocation
) {
  for feeding in Feeding.allCases {
    for trailing in trailings {
      let reading = readResponses(Array((text + trailing).utf8), feeding, to: method, upTo: 1)
      #expect(
        reading == Reading(lines: lines, rest: trailing), "\(feeding), then \(trailing.debugDescription)",
        sourceLocation: sourceLocation)
    }
  }
}

func expectRefusedResponse(
  _ text: String, _ kind: HTTPProtocolError.Kind, limits: HTTPLimits = HTTPLimits(),
  sourceLocation: SourceLocation = #_sourceLocation
) {
  for feeding in Feeding.allCases {
    let reading = readResponses(Array(text.utf8), feeding, limits: limits)
    #expect(reading.failure == kind, "\(feeding)\n\(reading)", sourceLocation: sourceLocation)
  }
}
