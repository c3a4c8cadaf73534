import COpenSSL
public import Bytes

/// SHA-1 (RFC 3174), which the handshake of RFC 6455 needs. It protects no secret there, and must not be used for one.
public enum SHA1 {
  /// The digest of `message`, 20 bytes.
  public static func digest(_ message: Bytes) -> [UInt8] {
    var context = SHA_CTX()
    SHA1_Init(&context)
    _ = message.withUnsafeBytes { SHA1_Update(&context, $0.baseAddress, $0.count) }
    return [UInt8](unsafeUninitializedCapacity: Int(SHA_DIGEST_LENGTH)) { memory, count in
      SHA1_Final(memory.baseAddress, &context)
      count = Int(SHA_DIGEST_LENGTH)
    }
  }
}

/// Base64 with padding (RFC 4648, section 4).
public enum Base64 {
  /// The text for `bytes`, of which there are at most some hundreds.
  public static func encode(_ bytes: [UInt8]) -> String {
    // EVP_EncodeBlock(3) ends the text with a NUL.
    let text = [UInt8](unsafeUninitializedCapacity: (bytes.count + 2) / 3 * 4 + 1) { memory, count in
      count = Int(EVP_EncodeBlock(memory.baseAddress, bytes, CInt(bytes.count)))
    }
    return String(decoding: text, as: UTF8.self)
  }
}
