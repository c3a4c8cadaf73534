import COpenSSL
public import Bytes

/// Knows a secret without keeping it: only its SHA-256 digest is in memory.
public struct SecretDigest: Sendable {
  private let digest: [UInt8]

  /// The digest of `secret`.
  public init(of secret: Bytes) { digest = SHA256.digest(secret) }

  /// True if `candidate` is the secret. The time depends on the length of `candidate` alone: what is compared are two
  /// digests, in constant time.
  public func matches(_ candidate: Bytes) -> Bool {
    CRYPTO_memcmp(digest, SHA256.digest(candidate), digest.count) == 0
  }
}
