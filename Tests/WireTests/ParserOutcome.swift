import Bytes

/// The result of a parser for some of its input.
enum ParserOutcome<Event: Equatable, Kind: Equatable>: Equatable {
  case event(Event)
  case failure(Kind)
}

/// The results for `bytes` when at most `step` bytes arrive at a time; an error comes last.
func parserOutcomes<Event: Equatable, Failure: Error, Kind: Equatable>(
  of bytes: [UInt8], step: Int, kind: (Failure) -> Kind,
  next: (inout ByteBuffer) throws(Failure) -> Event?
) -> [ParserOutcome<Event, Kind>] {
  var buffer = ByteBuffer()
  var outcomes: [ParserOutcome<Event, Kind>] = []
  for start in stride(from: 0, to: bytes.count, by: step) {
    buffer.append(contentsOf: bytes[start..<min(start + step, bytes.count)])
    do throws(Failure) {
      while let event = try next(&buffer) { outcomes.append(.event(event)) }
    } catch {
      return outcomes + [.failure(kind(error))]
    }
  }
  return outcomes
}
