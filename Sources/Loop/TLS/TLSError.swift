import COpenSSL
import Glibc

/// Why a TLS connection failed, or a server's certificate cannot be used.
public enum TLSError: Error, Equatable {
  /// The certificate was not issued by a trusted authority; OpenSSL's reason.
  case untrustedCertificate(String)
  /// The certificate has expired, or is not valid yet; OpenSSL's reason.
  case certificateNotValidNow(String)
  /// The certificate is not for the requested host.
  case wrongHost(String)
  /// The handshake failed; OpenSSL's reason.
  case handshakeFailed(String)
  /// The bytes are not TLS, or were changed on the way; OpenSSL's reason.
  case protocolViolation(String)
  /// The connection ended without close_notify (RFC 8446, section 6.1): bytes may be missing.
  case truncated
  /// The certificate authorities could not be loaded; the path and OpenSSL's reason.
  case unusableTrust(String, String)
  /// The certificate chain could not be loaded; the path and OpenSSL's reason.
  case unusableCertificate(String, String)
  /// The key could not be loaded; the path and OpenSSL's reason.
  case unusableKey(String, String)
  /// The key is protected by a passphrase; its path.
  case encryptedKey(String)
  /// The key is not that of the certificate; both paths.
  case mismatchedKey(String, String)
}

extension TLSError: CustomStringConvertible {
  /// The error in words.
  public var description: String {
    switch self {
    case .untrustedCertificate(let reason): "the server's certificate is not trusted: \(reason)"
    case .certificateNotValidNow(let reason): "the server's certificate is not valid now: \(reason)"
    case .wrongHost(let host): "the server's certificate is not for \(host)"
    case .handshakeFailed(let reason): "the TLS handshake failed: \(reason)"
    case .protocolViolation(let reason): "the TLS connection broke: \(reason)"
    case .truncated: "the TLS connection ended without close_notify: data may be missing"
    case .unusableTrust(let path, let reason): "cannot load certificate authorities from \(path): \(reason)"
    case .unusableCertificate(let path, let reason): "cannot load a certificate from \(path): \(reason)"
    case .unusableKey(let path, let reason): "cannot load a private key from \(path): \(reason)"
    case .encryptedKey(let path):
      "the private key in \(path) is encrypted (openssl pkey -in \(path) -out FILE writes it without its passphrase)"
    case .mismatchedKey(let key, let certificate):
      "the private key in \(key) is not that of the certificate in \(certificate)"
    }
  }
}

extension TLSError {
  /// An error for the result of the certificate's verification; nil if it succeeded.
  init?(verification code: Int, host: String) {
    let reason = String(cString: X509_verify_cert_error_string(code))
    switch CInt(truncatingIfNeeded: code) {
    case X509_V_OK: return nil
    case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH: self = .wrongHost(host)
    case X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_NOT_YET_VALID: self = .certificateNotValidNow(reason)
    default: self = .untrustedCertificate(reason)
    }
  }

  /// The last reason of the system or OpenSSL on this thread. Clears OpenSSL's error queue.
  static func takeReason() -> String {
    var reason: String?
    var code = ERR_get_error()
    while code != 0 {
      // The system's error comes first; OpenSSL then only adds that there was one.
      if code & systemFlag != 0 {
        ERR_clear_error()
        return String(cString: strerror(CInt(truncatingIfNeeded: code & ~systemFlag)))
      }
      reason = ERR_reason_error_string(code).map { String(cString: $0) } ?? "error \(code)"
      code = ERR_get_error()
    }
    return reason ?? "unknown reason"
  }

  /// Marks an `errno` among OpenSSL's codes (`ERR_SYSTEM_FLAG`, which Swift does not import).
  private static let systemFlag: UInt = 0x8000_0000
}
