@testable import Jupyter
import Bytes
import Wire

/// A WebSocket message of a kernel, in either layout. The first byte chooses the layout.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzKernelFraming(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard count > 0 else { return 0 }
  let input = fuzzInput(start, count)
  let framing: WebSocketFraming = input[0] & 1 == 0 ? .v1 : .legacy
  let isText = input[0] & 2 != 0
  guard let frame = try? framing.decode(input[1...], isText: isText) else { return 0 }
  for other in [WebSocketFraming.v1, .legacy] where isText || other == framing {
    let (pieces, isText) = other.encode(frame)
    let again = try? other.decode(Bytes(pieces.flatMap { [UInt8]($0) }), isText: isText)
    check(again == frame, "\(frame)\n--- became:\n\(String(describing: again))")
  }
  return 0
}
