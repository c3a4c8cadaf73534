import Bytes
import TestLoop
import Testing

@testable import Loop

@Suite struct MessageAuthenticationTests {
  @Test(arguments: [
    // RFC 4231, test cases 1, 2, 3 and 6.
    (
      [UInt8](repeating: 0x0b, count: 20), Array("Hi There".utf8),
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    ),
    (
      Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    ),
    (
      [UInt8](repeating: 0xaa, count: 20), [UInt8](repeating: 0xdd, count: 50),
      "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
    ),
    (
      [UInt8](repeating: 0xaa, count: 131),
      Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
    ),
  ])
  func `the signature is that of RFC 4231, however the message is split`(
    key: [UInt8], message: [UInt8], expected: String
  ) {
    let authentication = MessageAuthentication(key: Bytes(key))
    let whole = Bytes(message)
    #expect(authentication.signature(of: [whole]) == Bytes(expected))
    #expect(authentication.signature(of: [whole[0..<3], Bytes(), whole[3...]]) == Bytes(expected))
    #expect(authentication.isValid(Bytes(expected), of: [whole]))
  }

  @Test func `an empty key works`() {
    let signature = MessageAuthentication(key: Bytes()).signature(of: [])
    #expect(signature == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
  }

  @Test func `a changed or truncated message, and another key, are refused`() {
    let authentication = MessageAuthentication(key: "key")
    let message: Bytes = "message"
    let signature = authentication.signature(of: [message])
    #expect(!authentication.isValid(signature, of: ["massage"]))
    #expect(!authentication.isValid(signature[0..<63], of: [message]))
    #expect(!authentication.isValid(Bytes(), of: [message]))
    #expect(!MessageAuthentication(key: "yek").isValid(signature, of: [message]))
  }

  @Test func `long messages are checked, too`() {
    let authentication = MessageAuthentication(key: "key")
    let long = pattern(3 << 20)
    let signature = authentication.signature(of: [long])
    #expect(authentication.isValid(signature, of: [long]))
    #expect(!authentication.isValid(signature, of: [long[1...]]))
  }
}
