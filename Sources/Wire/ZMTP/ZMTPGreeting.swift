public import Bytes

/// The greeting of both peers: 64 bytes with the version and the security mechanism. Ours is NULL, without
/// authentication: Jupyter signs its messages.
///
/// https://rfc.zeromq.org/spec/23/ "The greeting"
public enum ZMTPGreeting {
  /// Its length in bytes.
  static let length = 64
  private static let versionIndex = 10
  private static let mechanismIndex = 12
  private static let mechanismLength = 20
  /// Our version. Peers with a later one, such as libzmq with 3.1, fall back to it.
  private static let major: UInt8 = 3
  private static let minor: UInt8 = 0
  private static let mechanism = Array("NULL".utf8)

  /// Our greeting.
  public static let encoded: Bytes = {
    var bytes = [UInt8](repeating: 0, count: length)
    bytes[0] = 0xFF
    bytes[9] = 0x7F
    bytes[versionIndex] = major
    bytes[versionIndex + 1] = minor
    bytes.replaceSubrange(mechanismIndex..<mechanismIndex + mechanism.count, with: mechanism)
    return Bytes(bytes)
  }()

  /// Checks the part of a peer's greeting that has arrived, so that another protocol is refused at once. Returns true
  /// if the greeting is complete.
  static func check(_ span: Span<UInt8>) throws(ZMTPError) -> Bool {
    if span.count > 0, span[0] != 0xFF { throw invalid("The peer does not speak ZMTP") }
    if span.count > 9, span[9] & 1 == 0 { throw invalid("The peer does not speak ZMTP") }
    if span.count > versionIndex, span[versionIndex] < major {
      throw invalid("The peer has ZMTP version \(span[versionIndex]). Version 3 is required")
    }
    guard span.count >= length else { return false }
    for index in 0..<mechanismLength {
      let expected = index < mechanism.count ? mechanism[index] : 0
      guard span[mechanismIndex + index] == expected else {
        throw invalid("The peer requires a security mechanism other than NULL")
      }
    }
    return true
  }

  private static func invalid(_ message: String) -> ZMTPError { ZMTPError(.invalidGreeting, message) }
}
