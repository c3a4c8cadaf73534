import COpenSSL
import Glibc
import Bytes

/// The state machine of a TLS connection, without I/O: bytes of the peer in, bytes for the peer out.
final class TLSEngine {
  private let connection: OpaquePointer
  private let received: OpaquePointer
  private let toSend: OpaquePointer
  private let host: String

  /// The peer has sent close_notify.
  private(set) var hasEnded = false

  /// A client, which verifies that the server's certificate is for `host`, a name or an IP address.
  convenience init(_ context: TLSContext, client host: String) throws(TLSError) {
    try self.init(context, host: host)
    SSL_set_connect_state(connection)
    guard expect(host) else { throw .handshakeFailed("'\(host)' is not a host name") }
  }

  /// A server, for tests.
  convenience init(server context: TLSContext) throws(TLSError) {
    try self.init(context, host: "")
    SSL_set_accept_state(connection)
  }

  private init(_ context: TLSContext, host: String) throws(TLSError) {
    self.host = host
    ERR_clear_error()
    guard let connection = SSL_new(context.pointer), let received = BIO_new(BIO_s_mem()),
      let toSend = BIO_new(BIO_s_mem())
    else { throw .handshakeFailed(TLSError.takeReason()) }
    self.connection = connection
    self.received = received
    self.toSend = toSend
    // The connection owns both BIOs now.
    SSL_set_bio(connection, received, toSend)
  }

  deinit { SSL_free(connection) }

  private func expect(_ host: String) -> Bool {
    var address = [UInt8](repeating: 0, count: 16)
    let isAddress = inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1
    // RFC 6066, section 3: SNI has no IP addresses.
    if isAddress { return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), host) == 1 }
    let name = host.hasSuffix(".") ? String(host.dropLast()) : host
    SSL_set_hostflags(connection, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
    return !name.isEmpty && SSL_set1_host(connection, name) == 1 && sendServerName(connection, name) == 1
  }

  // MARK: Encrypted bytes

  /// Takes bytes from the peer.
  func feed(_ bytes: Bytes) {
    var rest = bytes
    while !rest.isEmpty {
      let taken = rest.withUnsafeBytes { BIO_write(received, $0.baseAddress, CInt(clamping: $0.count)) }
      precondition(taken > 0, "a memory BIO takes all bytes")
      rest = rest[Int(taken)...]
    }
  }

  /// The number of bytes for the peer.
  var outputCount: Int { BIO_ctrl_pending(toSend) }

  /// Takes the bytes for the peer.
  func takeOutput() -> Bytes {
    let count = outputCount
    guard count > 0 else { return Bytes() }
    let storage = ByteStorage(capacity: count)
    let taken = BIO_read(toSend, storage.base, CInt(clamping: count))
    return Bytes(sharing: storage)[0..<max(0, Int(taken))]
  }

  // MARK: Plain bytes

  /// Continues the handshake. False while it needs more bytes from the peer.
  func handshake() throws(TLSError) -> Bool {
    ERR_clear_error()
    let result = SSL_do_handshake(connection)
    if result == 1 { return true }
    switch SSL_get_error(connection, result) {
    case SSL_ERROR_WANT_READ: return false
    default:
      if let error = TLSError(verification: SSL_get_verify_result(connection), host: host) { throw error }
      throw .handshakeFailed(TLSError.takeReason())
    }
  }

  /// Decrypts all bytes that were fed, and appends them to `buffer`.
  func decrypt(into buffer: inout ByteBuffer) throws(TLSError) {
    while !hasEnded {
      // A record has at most 16 KiB (RFC 8446, section 5.1), and is decrypted into the buffer without a copy.
      if buffer.withFreeTail({ $0.isEmpty }) {
        if SSL_has_pending(connection) == 0, BIO_ctrl_pending(received) == 0 { return }
        buffer.reserve(TLSEngine.recordLength)
      }
      ERR_clear_error()
      let count = buffer.withFreeTail { SSL_read(connection, $0.baseAddress, CInt(clamping: $0.count)) }
      guard count > 0 else {
        buffer.releaseIfEmpty()
        return try stop(SSL_get_error(connection, count))
      }
      buffer.commit(Int(count))
    }
  }

  static let recordLength = 16 * 1024

  private func stop(_ error: CInt) throws(TLSError) {
    switch error {
    case SSL_ERROR_WANT_READ: return
    case SSL_ERROR_ZERO_RETURN: hasEnded = true
    default: throw .protocolViolation(TLSError.takeReason())
    }
  }

  /// Encrypts `bytes` for `takeOutput`.
  func encrypt(_ bytes: Bytes) throws(TLSError) {
    var rest = bytes
    while !rest.isEmpty {
      ERR_clear_error()
      let written = rest.withUnsafeBytes { SSL_write(connection, $0.baseAddress, CInt(clamping: $0.count)) }
      guard written > 0 else { throw .protocolViolation(TLSError.takeReason()) }
      rest = rest[Int(written)...]
    }
  }

  /// Adds close_notify to the output.
  func end() {
    ERR_clear_error()
    SSL_shutdown(connection)
    ERR_clear_error()
  }
}
