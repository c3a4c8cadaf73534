public import Bytes
import Loop

/// The token that clients send to be served.
public struct AccessToken: Sendable {
  /// In bytes. A header section of 32 KiB has room for it, and a JSON Web Token is shorter.
  public static let longest = 4096
  /// A shorter one can be guessed: 16 random letters and digits have 95 bits.
  public static let shortestSafe = 16

  /// Why a text cannot be a token; in words that follow "the token".
  public enum Failure: Error, Equatable {
    case empty, tooLong, hasWhiteSpace, hasControlCharacters, isNotASCII
  }

  private let digest: SecretDigest
  /// True if it has so few characters that it can be guessed.
  public let isShort: Bool

  /// The token in `text`, without one line break at its end.
  public init(_ text: Bytes) throws(Failure) {
    let token = text.withoutLineBreak
    try Self.check(token)
    digest = SecretDigest(of: token)
    isShort = token.count < Self.shortestSafe
  }

  private init(ofRandom text: Bytes) {
    digest = SecretDigest(of: text)
    isShort = false
  }

  /// A token of 256 random bits, and its text.
  static func random() -> (AccessToken, text: String) {
    var generator = SystemRandomNumberGenerator()
    let text = (0..<4).map { _ in
      let digits = String(generator.next() as UInt64, radix: 16)
      return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }.joined()
    return (AccessToken(ofRandom: Bytes(text)), text)
  }

  /// It must reach the server in a header field as it is (RFC 9110, 5.5), so it has visible ASCII characters only.
  private static func check(_ token: Bytes) throws(Failure) {
    if token.isEmpty { throw .empty }
    if token.count > longest { throw .tooLong }
    if !token.isASCII { throw .isNotASCII }
    if !token.allSatisfy({ !$0.isWhiteSpace }) { throw .hasWhiteSpace }
    if !token.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) { throw .hasControlCharacters }
  }

  /// True if `candidate` is the token. The time tells nothing about the token.
  func matches(_ candidate: Bytes) -> Bool { digest.matches(candidate) }
}

extension AccessToken.Failure: CustomStringConvertible {
  /// Why, as a sentence that begins with "the token".
  public var description: String {
    switch self {
    case .empty: "the token is empty"
    case .tooLong: "the token has more than \(AccessToken.longest) characters"
    case .hasWhiteSpace: "the token has white space in it"
    case .hasControlCharacters: "the token has control characters in it"
    case .isNotASCII: "the token has characters that are not ASCII"
    }
  }
}

extension Bytes {
  /// Without one LF or CR LF at the end.
  fileprivate var withoutLineBreak: Bytes {
    guard hasSuffix("\n") else { return self }
    return self[0..<count - (hasSuffix("\r\n") ? 2 : 1)]
  }
}

extension UInt8 {
  /// Space, tab, LF, VT, FF and CR.
  fileprivate var isWhiteSpace: Bool { self == 0x20 || (0x09...0x0D).contains(self) }
}
