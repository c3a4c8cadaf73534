import COpenSSL
import Glibc

/// Why a connection is not, or no longer, secure.
public enum TLSError: Error, Equatable {
  /// No authority that is trusted stands behind the certificate; OpenSSL's reason.
  case untrustedCertificate(String)
  /// The certificate was valid only until some time ago, or is not yet.
  case certificateNotValidNow(String)
  /// The certificate is for other hosts than the one that was asked for.
  case wrongHost(String)
  /// The peers did not agree; OpenSSL's reason.
  case handshakeFailed(String)
  /// What came is not TLS, or was tampered with; OpenSSL's reason.
  case protocolViolation(String)
  /// The connection ended without the peer saying that it was the end (RFC 8446 section 6.1): something may be missing.
  case truncated
  /// The file of authorities can not be used; its path and OpenSSL's reason.
  case unusableTrust(String, String)
}

extension TLSError: CustomStringConvertible {
  /// The error in words.
  public var description: String {
    switch self {
    case .untrustedCertificate(let reason): "the server's certificate is not trusted: \(reason)"
    case .certificateNotValidNow(let reason): "the server's certificate is not valid now: \(reason)"
    case .wrongHost(let host): "the server's certificate is not for \(host)"
    case .handshakeFailed(let reason): "no TLS connection: \(reason)"
    case .protocolViolation(let reason): "the TLS connection broke: \(reason)"
    case .truncated: "the TLS connection was cut: it ended without a closing message"
    case .unusableTrust(let path, let reason): "no certificates could be read from \(path): \(reason)"
    }
  }
}

extension TLSError {
  /// What the check of the certificate said.
  init?(verification code: Int, host: String) {
    let reason = String(cString: X509_verify_cert_error_string(code))
    switch CInt(truncatingIfNeeded: code) {
    case X509_V_OK: return nil
    case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH: self = .wrongHost(host)
    case X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_NOT_YET_VALID: self = .certificateNotValidNow(reason)
    default: self = .untrustedCertificate(reason)
    }
  }

  /// What the system or OpenSSL said last on this thread; all of it is forgotten by that.
  static func takeReason() -> String {
    var reason: String?
    var code = ERR_get_error()
    while code != 0 {
      // What the system says comes first, and OpenSSL then only adds that the system said something.
      if code & systemFlag != 0 {
        ERR_clear_error()
        return String(cString: strerror(CInt(truncatingIfNeeded: code & ~systemFlag)))
      }
      reason = ERR_reason_error_string(code).map { String(cString: $0) } ?? "error \(code)"
      code = ERR_get_error()
    }
    return reason ?? "unknown reason"
  }

  /// Marks numbers of the system's among OpenSSL's (`ERR_SYSTEM_FLAG`, which Swift does not import).
  private static let systemFlag: UInt = 0x8000_0000
}
