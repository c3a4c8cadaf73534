public import Bytes

/// What both sides of a connection say first: 64 bytes that tell the version and the mechanism by which they trust each
/// other. Ours is NULL, which is no trust at all: Jupyter's messages are signed.
///
/// https://rfc.zeromq.org/spec/23/ "The greeting"
public enum ZMTPGreeting {
  /// How long it is.
  static let length = 64
  private static let versionIndex = 10
  private static let mechanismIndex = 12
  private static let mechanismLength = 20
  /// The version that we speak: every peer that knows a later one, such as libzmq with its 3.1, then speaks it too.
  private static let major: UInt8 = 3
  private static let minor: UInt8 = 0
  private static let mechanism = Array("NULL".utf8)

  /// Ours.
  public static let encoded: Bytes = {
    var bytes = [UInt8](repeating: 0, count: length)
    bytes[0] = 0xFF
    bytes[9] = 0x7F
    bytes[versionIndex] = major
    bytes[versionIndex + 1] = minor
    bytes.replaceSubrange(mechanismIndex..<mechanismIndex + mechanism.count, with: mechanism)
    return Bytes(bytes)
  }()

  /// Checks a peer's greeting as far as it has arrived, so that nobody waits for the rest of something else; true when
  /// it is whole.
  static func check(_ span: Span<UInt8>) throws(ZMTPError) -> Bool {
    if span.count > 0, span[0] != 0xFF { throw invalid("The peer does not speak ZMTP") }
    if span.count > 9, span[9] & 1 == 0 { throw invalid("The peer does not speak ZMTP") }
    if span.count > versionIndex, span[versionIndex] < major {
      throw invalid("The peer speaks version \(span[versionIndex]) of ZMTP, which is older than 3")
    }
    guard span.count >= length else { return false }
    for index in 0..<mechanismLength {
      let expected = index < mechanism.count ? mechanism[index] : 0
      guard span[mechanismIndex + index] == expected else {
        throw invalid("The peer wants another security mechanism than NULL")
      }
    }
    return true
  }

  private static func invalid(_ message: String) -> ZMTPError { ZMTPError(.invalidGreeting, message) }
}
