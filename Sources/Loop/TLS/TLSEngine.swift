import COpenSSL
import Glibc
import Bytes

/// The state machine of a TLS connection, without I/O: bytes of the peer in, bytes for the peer out.
final class TLSEngine {
  private let connection: OpaquePointer
  private let records = TLSRecords()
  private let host: String
  /// True for the side that was connected to.
  let isServer: Bool

  /// The peer has sent close_notify.
  private(set) var hasEnded = false

  /// A client, which verifies that the server's certificate is for `host`, a name or an IP address.
  convenience init(_ context: TLSContext, client host: String) throws(TLSError) {
    try self.init(context, host: host, isServer: false)
    SSL_set_connect_state(connection)
    guard expect(host) else { throw .handshakeFailed("'\(host)' is not a host name") }
  }

  /// A server.
  convenience init(server context: TLSContext) throws(TLSError) {
    try self.init(context, host: "", isServer: true)
    SSL_set_accept_state(connection)
  }

  private init(_ context: TLSContext, host: String, isServer: Bool) throws(TLSError) {
    self.host = host
    self.isServer = isServer
    ERR_clear_error()
    guard let connection = SSL_new(context.pointer) else { throw .handshakeFailed(TLSError.takeReason()) }
    self.connection = connection
    guard let bio = records.makeBIO() else { throw .handshakeFailed(TLSError.takeReason()) }
    // The connection owns the BIO now.
    SSL_set_bio(connection, bio, bio)
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

  /// Takes all bytes of the peer from `buffer`.
  func feed(_ buffer: inout ByteBuffer) {
    if records.received.isEmpty {
      swap(&records.received, &buffer)
    } else {
      records.received.append(buffer.takeAll())
    }
  }

  /// Takes the bytes for the peer.
  func takeOutput() -> Bytes { records.toSend.takeAll() }

  /// True if bytes of the peer wait to be decrypted.
  var hasInput: Bool { !records.received.isEmpty || SSL_pending(connection) > 0 }

  /// True if it holds no bytes in either direction; for tests.
  var isAtRest: Bool { records.received.isEmpty && records.toSend.isEmpty }

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

  /// Decrypts the bytes that were fed, and appends them to `buffer` until that has `limit` bytes or more.
  func decrypt(into buffer: inout ByteBuffer, upTo limit: Int) throws(TLSError) {
    while !hasEnded, buffer.count < limit {
      let encrypted = records.received.count
      // The engine may have taken a part of a record, but has no more of it for us then.
      if encrypted == 0, SSL_has_pending(connection) == 0 { return }
      // Encrypted bytes are never fewer than what they hold.
      if buffer.withFreeTail({ $0.isEmpty }) {
        buffer.reserveBlock(encrypted > 0 ? encrypted : Self.recordLength)
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

  /// The most bytes that one record holds (RFC 8446, section 5.1).
  static let recordLength = 16 * 1024
  /// What a record of the ciphers in use has beside them: a header, a nonce and a tag, in bytes.
  private static let longestOverhead = 32

  private func stop(_ error: CInt) throws(TLSError) {
    switch error {
    case SSL_ERROR_WANT_READ: return
    case SSL_ERROR_ZERO_RETURN: hasEnded = true
    default: throw .protocolViolation(TLSError.takeReason())
    }
  }

  /// Encrypts `bytes` for `takeOutput`.
  func encrypt(_ bytes: Bytes) throws(TLSError) {
    records.toSend.reserveBlock(
      bytes.count + (bytes.count / Self.recordLength + 1) * Self.longestOverhead)
    var rest = bytes
    while !rest.isEmpty {
      ERR_clear_error()
      let written = rest.withUnsafeBytes { SSL_write(connection, $0.baseAddress, CInt(clamping: $0.count)) }
      guard written > 0 else { throw .protocolViolation(TLSError.takeReason()) }
      rest = rest[Int(written)...]
    }
  }

  /// Adds a KeyUpdate to the output that asks the peer for one, too (RFC 8446, section 4.6.3); for tests.
  func renewKeys() {
    SSL_key_update(connection, SSL_KEY_UPDATE_REQUESTED)
    SSL_do_handshake(connection)
  }

  /// Adds close_notify to the output.
  func end() {
    ERR_clear_error()
    SSL_shutdown(connection)
    ERR_clear_error()
  }
}

extension ByteBuffer {
  /// As `reserve`; of many bytes it makes a block that `BlockCache` keeps for transfers.
  fileprivate mutating func reserveBlock(_ count: Int) {
    let block = BlockCache.transferLength
    reserve((block / 2...block).contains(self.count + count) ? block - self.count : count)
  }
}
