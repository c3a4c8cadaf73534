import Bytes

@testable import Wire

/// Parses the values of fields and targets. Parsers must refuse invalid ones without a trap.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHTTPValues(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = fuzzInput(start, count)
  let text = Bytes(String(input))
  for size in [0, 1, 10, Int64.max] {
    if case .part(let range) = ByteRange(text, size: size) {
      check(range.lowerBound >= 0 && range.upperBound <= size && !range.isEmpty, "a range outside: \(range)")
    }
  }
  for tag in EntityTag.list(text) ?? [] {
    check(EntityTag.list(Bytes(tag.fieldValue)) == [tag], "a tag that reads differently: \(tag)")
  }
  if let host = HTTPHost(text) { _ = host.isLocal }
  if let seconds = HTTPDate.parse(text, now: 1_800_000_000) {
    check(
      HTTPDate.parse(Bytes(HTTPDate.format(seconds)), now: 0) == seconds || seconds < -62_135_596_800,
      "date \(seconds)")
  }
  if let target = try? RequestTarget(text, method: "GET") {
    _ = try? target.decodedPath()
    _ = try? target.queryItems()
  }
  check(
    (try? PercentCoding.decodeText(Bytes(PercentCoding.encode(text)))) == text,
    "percent-encoding lost something")
  return 0
}
