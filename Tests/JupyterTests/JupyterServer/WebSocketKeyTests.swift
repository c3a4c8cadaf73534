import Testing
import Wire

@testable import Jupyter

@Suite struct WebSocketKeyTests {
  @Test func `the accept value matches the example in RFC 6455`() {
    #expect(
      WebSocketHandshake.acceptValue(forKey: "dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
  }
}
