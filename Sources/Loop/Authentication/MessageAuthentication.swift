import COpenSSL
public import Bytes

/// Signs messages by HMAC-SHA256 (RFC 2104): the signature shows that the sender has the key and that nothing was changed.
public struct MessageAuthentication: Sendable {
  private static let digits = Array("0123456789abcdef".utf8)

  private let template: Template

  /// Signs and checks with `key`, of any length.
  public init(key: Bytes) { template = Template(key: key) }

  /// The signature of the parts joined together, in lower-case hexadecimal.
  public func signature(of parts: [Bytes]) -> Bytes {
    var digits: [UInt8] = []
    digits.reserveCapacity(64)
    for byte in template.digest(of: parts) {
      digits.append(Self.digits[Int(byte >> 4)])
      digits.append(Self.digits[Int(byte & 15)])
    }
    return Bytes(digits)
  }

  /// True if `signature` is that of `parts`. The comparison takes constant time.
  func isValid(_ signature: Bytes, of parts: [Bytes]) -> Bool {
    let expected = self.signature(of: parts)
    guard signature.count == expected.count else { return false }
    return expected.withUnsafeBytes { expected in
      signature.withUnsafeBytes { CRYPTO_memcmp(expected.baseAddress, $0.baseAddress, expected.count) == 0 }
    }
  }

  /// The same, for long messages on another thread.
  @LoopActor
  public func check(_ signature: Bytes, of parts: [Bytes]) async throws -> Bool {
    try await Computation.run(over: parts.byteCount) { isValid(signature, of: parts) }
  }
}

/// An OpenSSL context that holds the key. Each signature uses a copy, which costs less than fetching the algorithms again.
///
/// `@unchecked Sendable`: it is copied and never changed.
private final class Template: @unchecked Sendable {
  private static let digestLength = 32
  private let context: OpaquePointer

  init(key: Bytes) {
    let algorithm = EVP_MAC_fetch(nil, "HMAC", nil)
    defer { EVP_MAC_free(algorithm) }
    guard let context = EVP_MAC_CTX_new(algorithm) else { preconditionFailure("OpenSSL has no HMAC") }
    // OpenSSL refuses an empty key. HMAC pads keys with zeros (RFC 2104), so that one zero byte is the same key.
    let key = key.isEmpty ? Bytes([0]) : key
    let status = Self.withDigestParameter { parameters in
      key.withUnsafeBytes {
        EVP_MAC_init(context, $0.assumingMemoryBound(to: UInt8.self).baseAddress, $0.count, parameters)
      }
    }
    precondition(status == 1, "OpenSSL has no SHA-256")
    self.context = context
  }

  deinit { EVP_MAC_CTX_free(context) }

  private static func withDigestParameter(_ body: (UnsafePointer<OSSL_PARAM>) -> CInt) -> CInt {
    var digest = Array("SHA256".utf8CString)
    return digest.withUnsafeMutableBufferPointer { digest in
      "digest".withCString { name in
        let parameters = [
          OSSL_PARAM_construct_utf8_string(name, digest.baseAddress, 0), OSSL_PARAM_construct_end(),
        ]
        return parameters.withUnsafeBufferPointer { $0.baseAddress.map(body) ?? 0 }
      }
    }
  }

  func digest(of parts: [Bytes]) -> [UInt8] {
    guard let copy = EVP_MAC_CTX_dup(context) else { preconditionFailure("no memory for a signature") }
    defer { EVP_MAC_CTX_free(copy) }
    for part in parts {
      part.withUnsafeBytes {
        _ = EVP_MAC_update(copy, $0.assumingMemoryBound(to: UInt8.self).baseAddress, $0.count)
      }
    }
    var length = 0
    return [UInt8](unsafeUninitializedCapacity: Self.digestLength) { memory, count in
      let status = EVP_MAC_final(copy, memory.baseAddress, &length, memory.count)
      precondition(status == 1 && length == Self.digestLength, "OpenSSL gave no signature")
      count = length
    }
  }
}
