import Bytes

/// The input from libFuzzer.
func fuzzInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Bytes {
  Bytes(UnsafeBufferPointer(start: start, count: count))
}

/// Cuts `input` into pieces. Their lengths follow from its content, so that the same input is always cut in the same way.
func pieces(of input: Bytes) -> [Bytes] {
  var pieces: [Bytes] = []
  var position = 0
  var seed = UInt32(truncatingIfNeeded: input.count) | 1
  while position < input.count {
    seed = seed &* 1_664_525 &+ UInt32(input[position]) &+ 1_013_904_223
    let length = min(Int(seed >> 24) % 13 + 1, input.count - position)
    pieces.append(input[position..<position + length])
    position += length
  }
  return pieces
}

/// Ends the run if `condition` is false, so that libFuzzer keeps the input.
func check(_ condition: Bool, _ message: @autoclosure () -> String) {
  if !condition { fatalError(message()) }
}
