import COpenSSL

/// The certificate authorities that a server's certificate is verified against.
public enum TLSTrust: Sendable, Hashable {
  /// Those of the system, or of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
  case system
  /// Those in this PEM file alone.
  case file(String)
  /// None: any certificate will do. For questions that tell the server nothing secret.
  case nobody
}

/// An `SSL_CTX`: the versions, options and trust that connections share.
///
/// `@unchecked Sendable`: OpenSSL counts its references atomically, and nothing changes it after its creation.
final class TLSContext: @unchecked Sendable {
  let pointer: OpaquePointer

  /// Takes ownership of `pointer`.
  init(adopting pointer: OpaquePointer) { self.pointer = pointer }

  deinit { SSL_CTX_free(pointer) }

  /// Reads files, so it is called on the thread pool.
  static func client(trust: TLSTrust) throws(TLSError) -> TLSContext {
    ERR_clear_error()
    guard let pointer = SSL_CTX_new(TLS_client_method()) else {
      throw .handshakeFailed(TLSError.takeReason())
    }
    let context = TLSContext(adopting: pointer)
    SSL_CTX_set_verify(pointer, trust == .nobody ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nil)
    SSL_CTX_set_options(pointer, hardenedOptions)
    releaseIdleBuffers(pointer)
    guard requireModernVersion(pointer) == 1 else { throw .handshakeFailed(TLSError.takeReason()) }
    try context.load(trust)
    return context
  }

  private func load(_ trust: TLSTrust) throws(TLSError) {
    switch trust {
    case .system:
      if SSL_CTX_set_default_verify_paths(pointer) != 1 {
        throw .unusableTrust("the system", TLSError.takeReason())
      }
    case .file(let path):
      if SSL_CTX_load_verify_file(pointer, path) != 1 { throw .unusableTrust(path, TLSError.takeReason()) }
    case .nobody: break
    }
    ERR_clear_error()
  }
}
