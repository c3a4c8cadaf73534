import Bytes
import Testing

@testable import Server

@Suite struct MediaTypesTests {
  @Test(arguments: [
    ("a.txt", "text/plain; charset=utf-8"), ("a.PNG", "image/png"), ("dir.d/a.tar.gz", "application/gzip"),
    ("a.json", "application/json"), ("a.svg", "image/svg+xml"), ("a.xyz", MediaTypes.unknown),
    ("a", MediaTypes.unknown), ("a.", MediaTypes.unknown), ("a.txt.unknown", MediaTypes.unknown),
    (".txt", MediaTypes.unknown), ("x.txt/a", MediaTypes.unknown), ("", MediaTypes.unknown),
    ("/", MediaTypes.unknown),
    ("ü.csv", "text/csv; charset=utf-8"),
  ])
  func `The type comes from the file name extension`(name: String, type: String) {
    #expect(MediaTypes.contentType(of: Bytes(name)) == type)
  }
}
