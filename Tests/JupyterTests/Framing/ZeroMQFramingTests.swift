@testable import Loop
import Bytes
import Testing

@testable import Jupyter

@Suite struct ZeroMQFramingTests {
  private static let authentication = MessageAuthentication(key: "secret")
  private static let frame = KernelFrame(
    channel: .iopub, header: #"{"msg_id":"1"}"#, parentHeader: #"{"msg_id":"0"}"#, metadata: #"{"a":1}"#,
    content: #"{"text":"hello"}"#)

  @Test func `an encoded message decodes to the same message with a valid signature`() throws {
    let parts = ZeroMQFraming.encode(Self.frame, sign: Self.authentication.signature(of:))
    let signed = try ZeroMQFraming.decode(parts, from: .iopub)
    #expect(signed.frame == Self.frame)
    #expect(signed.identities.isEmpty)
    #expect(Self.authentication.isValid(signed.signature, of: signed.signedParts))
  }

  @Test func `the layout matches the protocol`() {
    let parts = ZeroMQFraming.encode(Self.frame, sign: Self.authentication.signature(of:))
    #expect(parts[0] == "<IDS|MSG>")
    // As Python's hmac module has it.
    #expect(parts[1] == "607816f1300db8111ac6978de459ae460afbe76d69c9bdfe5d512d9b0c606616")
    #expect(
      parts[2...] == [#"{"msg_id":"1"}"#, #"{"msg_id":"0"}"#, #"{"a":1}"#, #"{"text":"hello"}"#])
  }

  @Test func `any number of identities before the delimiter is decoded`() throws {
    let parts =
      ["kernel.1.stream", "x"] + ZeroMQFraming.encode(Self.frame, sign: Self.authentication.signature(of:))
    let signed = try ZeroMQFraming.decode(parts, from: .iopub)
    #expect(signed.identities == ["kernel.1.stream", "x"])
    #expect(signed.frame == Self.frame)
  }

  @Test func `buffers are dropped, even one that equals the delimiter`() throws {
    let parts = ZeroMQFraming.encode(Self.frame, sign: Self.authentication.signature(of:))
    let signed = try ZeroMQFraming.decode(parts + ["<IDS|MSG>", "", "buffer"], from: .iopub)
    #expect(signed.frame == Self.frame && signed.identities.isEmpty)
    #expect(Self.authentication.isValid(signed.signature, of: signed.signedParts))
  }

  @Test(arguments: 0..<6) func `a truncated message is refused`(length: Int) {
    let parts = Array(ZeroMQFraming.encode(Self.frame, sign: Self.authentication.signature(of:))[..<length])
    #expect(throws: KernelFramingError.self) { try ZeroMQFraming.decode(parts, from: .shell) }
  }

  @Test(arguments: 1..<6) func `altering any signed part breaks the signature`(index: Int) throws {
    var parts = ZeroMQFraming.encode(Self.frame, sign: Self.authentication.signature(of:))
    parts[index] = Bytes(Array(parts[index]).reversed())
    let signed = try ZeroMQFraming.decode(parts, from: .iopub)
    #expect(!Self.authentication.isValid(signed.signature, of: signed.signedParts))
  }
}
