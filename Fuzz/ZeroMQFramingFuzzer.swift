import Bytes
import Wire

@testable import Jupyter

/// Decodes the parts of a ZeroMQ message. The input has line breaks between them.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzZeroMQFraming(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = fuzzInput(start, count)
  let parts = [UInt8](input).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map {
    Bytes($0)
  }
  guard let signed = try? ZeroMQFraming.decode(parts, from: .iopub) else { return 0 }
  let again = ZeroMQFraming.encode(signed.frame) { _ in signed.signature }
  // Buffers, which follow the content, are not kept.
  let kept = Array(parts.prefix(signed.identities.count + again.count))
  check(signed.identities + again == kept, "\(parts)\n--- became:\n\(again)")
  _ = try? Message(signed.frame)
  return 0
}
