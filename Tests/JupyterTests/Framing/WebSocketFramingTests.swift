@testable import Jupyter
import Bytes
import Testing

@Suite struct WebSocketFramingTests {
  private let plain = KernelFrame(
    channel: .iopub, header: #"{"msg_id":"1"}"#, parentHeader: #"{"msg_id":"0"}"#, metadata: "{}",
    content: #"{"name":"stdout","text":"é\n"}"#)

  /// `plain` as others send it, with three buffers behind it.
  private func withBuffers(_ framing: WebSocketFraming) -> [UInt8] {
    let (pieces, _) = framing.encode(plain)
    let buffers: [[UInt8]] = [[0, 255, 1], [], [7]]
    let json =
      framing == .legacy
      ? [join(pieces)]
      : ["iopub", plain.header, plain.parentHeader, plain.metadata, plain.content].map { [UInt8]($0) }
    let parts = json + buffers
    let width = framing == .v1 ? 8 : 4
    // The first layout tells the end as well.
    let words = framing == .v1 ? parts.count + 2 : parts.count + 1
    var numbers = [framing == .v1 ? parts.count + 1 : parts.count]
    var offset = words * width
    for part in parts {
      numbers.append(offset)
      offset += part.count
    }
    if framing == .v1 { numbers.append(offset) }
    let front = numbers.flatMap { number -> [UInt8] in
      let bytes = (0..<width).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
      return framing == .v1 ? bytes : bytes.reversed()
    }
    return front + parts.flatMap { $0 }
  }

  private func join(_ pieces: [Bytes]) -> [UInt8] { pieces.flatMap { [UInt8]($0) } }

  private func decode(_ bytes: [UInt8], _ framing: WebSocketFraming, isText: Bool = false)
    -> KernelFrame?
  {
    try? framing.decode(Bytes(bytes), isText: isText)
  }

  @Test func `the layout matches that of Jupyter Server`() throws {
    let frame = KernelFrame(
      channel: .shell, header: "{1}", parentHeader: "{}", metadata: "{22}", content: "{333}")
    let (pieces, isText) = WebSocketFraming.v1.encode(frame)
    #expect(!isText)
    // Seven words, the channel at 56, and the end.
    let offsets: [UInt8] = [6, 56, 61, 64, 66, 70, 75]
    let front = offsets.flatMap { offset -> [UInt8] in [offset, 0, 0, 0, 0, 0, 0, 0] }
    #expect(join(pieces) == front + Array("shell{1}{}{22}{333}".utf8))
  }

  @Test func `an encoded message decodes to the same message`() throws {
    for framing in [WebSocketFraming.v1, .legacy] {
      let (pieces, isText) = framing.encode(plain)
      #expect(isText == (framing == .legacy))
      #expect(try framing.decode(Bytes(join(pieces)), isText: isText) == plain)
    }
  }

  @Test(arguments: [WebSocketFraming.v1, .legacy])
  func `buffers are dropped`(framing: WebSocketFraming) throws {
    #expect(try framing.decode(Bytes(withBuffers(framing)), isText: false) == plain)
  }

  @Test func `truncated messages and messages with trailing bytes are refused`() throws {
    for framing in [WebSocketFraming.v1, .legacy] {
      let (pieces, isText) = framing.encode(plain)
      let bytes = join(pieces)
      for length in 0..<bytes.count {
        #expect(decode(Array(bytes[..<length]), framing, isText: isText) == nil, "\(framing) \(length)")
      }
      #expect(decode(bytes + [0x7D], framing, isText: isText) == nil)
    }
    // The older framing with buffers does not tell the end of the last one.
    let bytes = withBuffers(.legacy)
    for length in 0..<bytes.count - 1 {
      #expect(decode(Array(bytes[..<length]), .legacy) == nil, "\(length)")
    }
  }

  @Test func `invalid offsets are refused`() throws {
    for framing in [WebSocketFraming.v1, .legacy] {
      let bytes = withBuffers(framing)
      let front = framing == .v1 ? 8 * 10 : 4 * 5
      for index in 0..<front {
        for value in [0, 1, 0x7F, 0x80, 0xFF] as [UInt8] {
          var changed = bytes
          changed[index] = value
          // It need not be refused, but what is returned lies within.
          _ = decode(changed, framing)
        }
      }
    }
    #expect(decode([UInt8](repeating: 0xFF, count: 100), .v1) == nil)
    #expect(decode([UInt8](repeating: 0xFF, count: 100), .legacy) == nil)
    #expect(decode([UInt8](repeating: 0, count: 100), .v1) == nil)
    #expect(decode([UInt8](repeating: 0, count: 100), .legacy) == nil)
  }

  @Test func `a legacy message may lack members and have unknown ones`() throws {
    let text: Bytes = #"""
      {"buffers": [], "msg_id": "x", "header": {"a": 1}, "parent_header": null, "channel": "\u0073hell"}
      """#
    let frame = try WebSocketFraming.legacy.decode(text, isText: true)
    #expect(frame == KernelFrame(channel: .shell, header: #"{"a": 1}"#))
    for wrong in ["[]", "{}", #"{"channel":"shell"}"#, #"{"channel":"x","header":{}}"#, "nonsense"] {
      #expect(decode(Array(wrong.utf8), .legacy, isText: true) == nil, "\(wrong)")
    }
  }

  @Test func `the subprotocol decides the layout`() {
    #expect(WebSocketFraming(subprotocol: "v1.kernel.websocket.jupyter.org") == .v1)
    #expect(WebSocketFraming(subprotocol: nil) == .legacy)
  }
}
