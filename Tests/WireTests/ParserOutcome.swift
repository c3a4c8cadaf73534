import Bytes

/// What a parser made of some of what it was given.
enum ParserOutcome<Event: Equatable, Kind: Equatable>: Equatable {
  case event(Event)
  case failure(Kind)
}

/// What becomes of `bytes` when at most `step` of them arrive at a time; an error is the last of it.
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
