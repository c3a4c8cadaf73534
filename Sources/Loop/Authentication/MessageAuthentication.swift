import COpenSSL
public import Bytes

/// Signs messages by HMAC-SHA256 (RFC 2104): the signature shows that the sender has the key and that nothing was changed.
public struct MessageAuthentication: Sendable {
  private static let digits = Array("0123456789abcdef".utf8)

  /// The digests of the two padded keys, which a signature continues.
  private let inner: SHA256
  private let outer: SHA256

  /// Signs and checks with `key`, of any length.
  public init(key: Bytes) {
    var block = [UInt8](repeating: 0, count: SHA256.blockLength)
    var key = key
    if key.count > SHA256.blockLength {
      var digest = SHA256(key)
      key = Bytes(digest.finish())
    }
    key.withUnsafeBytes { block.replaceSubrange(..<$0.count, with: $0) }
    inner = SHA256(Bytes(block.map { $0 ^ 0x36 }))
    outer = SHA256(Bytes(block.map { $0 ^ 0x5c }))
  }

  /// The signature of the parts joined together, in lower-case hexadecimal.
  public func signature(of parts: [Bytes]) -> Bytes {
    var digits: [UInt8] = []
    digits.reserveCapacity(2 * SHA256.digestLength)
    for byte in digest(of: parts) {
      digits.append(Self.digits[Int(byte >> 4)])
      digits.append(Self.digits[Int(byte & 15)])
    }
    return Bytes(digits)
  }

  private func digest(of parts: [Bytes]) -> [UInt8] {
    var inner = inner
    var outer = outer
    for part in parts { inner.update(part) }
    outer.update(Bytes(inner.finish()))
    return outer.finish()
  }

  /// True if `signature` is that of `parts`. The comparison takes constant time.
  public func isValid(_ signature: Bytes, of parts: [Bytes]) -> Bool {
    let expected = self.signature(of: parts)
    guard signature.count == expected.count else { return false }
    return expected.withUnsafeBytes { expected in
      signature.withUnsafeBytes { CRYPTO_memcmp(expected.baseAddress, $0.baseAddress, expected.count) == 0 }
    }
  }
}

/// SHA-256 (FIPS 180-4) of all bytes that `update` gets.
///
/// Neither this nor `SHA1` uses the EVP interface of OpenSSL 3. That loads a provider with all algorithms, which took 1.5 MiB of
/// resident memory, and a server without TLS needs no other. A copy of this context costs no allocation.
public struct SHA256: Sendable {
  /// In bytes.
  static let blockLength = Int(SHA256_CBLOCK)
  /// In bytes.
  static let digestLength = Int(SHA256_DIGEST_LENGTH)

  private var context = SHA256_CTX()

  /// The digest of `message`, 32 bytes.
  public static func digest(_ message: Bytes) -> [UInt8] {
    var digest = SHA256(message)
    return digest.finish()
  }

  init(_ start: Bytes) {
    SHA256_Init(&context)
    update(start)
  }

  mutating func update(_ bytes: Bytes) {
    _ = bytes.withUnsafeBytes { SHA256_Update(&context, $0.baseAddress, $0.count) }
  }

  mutating func finish() -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Self.digestLength) { memory, count in
      SHA256_Final(memory.baseAddress, &context)
      count = Self.digestLength
    }
  }
}
