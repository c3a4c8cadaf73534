import COpenSSL

/// What a server shows to its clients: its certificate chain, and the key that belongs to it, of two PEM files, which may be
/// the same.
@LoopActor
public final class TLSIdentity {
  private let certificate: String
  private let key: String
  /// What new connections use. Those that are open keep the one that they began with.
  private(set) var context: TLSContext

  /// Reads both files. Blocks: for the start of a program.
  public nonisolated init(certificate: String, key: String) throws(TLSError) {
    self.certificate = certificate
    self.key = key
    context = try TLSContext.server(certificate: certificate, key: key)
  }

  /// Reads both files again. Clients that hold a session ticket do a whole handshake next time: the keys of the tickets are
  /// new, too.
  ///
  /// - Throws: `TLSError`, `CancellationError`. Nothing has changed then.
  public func renew() async throws {
    let (certificate, key) = (certificate, key)
    context = try await Pending { () throws(UVError) in
      Result { () throws(TLSError) in try TLSContext.server(certificate: certificate, key: key) }
    }.value().get()
  }
}

extension TLSContext {
  /// For TLS 1.2: forward secrecy and authenticated encryption only (RFC 9325, 4.2). TLS 1.3 has nothing else.
  private static let ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20"

  /// Reads files.
  fileprivate static func server(certificate: String, key: String) throws(TLSError) -> TLSContext {
    ERR_clear_error()
    guard let pointer = SSL_CTX_new(TLS_server_method()) else {
      throw .handshakeFailed(TLSError.takeReason())
    }
    let context = TLSContext(adopting: pointer)
    SSL_CTX_set_options(pointer, hardenedOptions)
    releaseIdleBuffers(pointer)
    keepNoSessions(pointer)
    offerHTTP11(pointer)
    guard requireModernVersion(pointer) == 1, SSL_CTX_set_cipher_list(pointer, ciphers) == 1 else {
      throw .handshakeFailed(TLSError.takeReason())
    }
    if SSL_CTX_use_certificate_chain_file(pointer, certificate) != 1 {
      throw .unusableCertificate(certificate, TLSError.takeReason())
    }
    try context.use(key, for: certificate)
    return context
  }

  private func use(_ key: String, for certificate: String) throws(TLSError) {
    var isEncrypted = false
    let status = usePrivateKey(pointer, key, &isEncrypted)
    if isEncrypted {
      ERR_clear_error()
      throw .encryptedKey(key)
    }
    if status == 1, SSL_CTX_check_private_key(pointer) == 1 { return }
    let isMismatched = ERR_GET_REASON(ERR_peek_error()) == X509_R_KEY_VALUES_MISMATCH
    let reason = TLSError.takeReason()
    throw isMismatched ? .mismatchedKey(key, certificate) : .unusableKey(key, reason)
  }
}
