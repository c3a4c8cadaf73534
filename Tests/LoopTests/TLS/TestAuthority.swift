import COpenSSL
import Glibc
import Testing

@testable import Loop

/// A test authority, made with the openssl command, and its certificates.
final class TestAuthority {
  private let path: String

  var certificate: String { path + "/authority.pem" }

  init() throws {
    path = try TemporaryDirectory(prefix: "test-authority-").path
    try run(
      "req -x509 \(Self.newKey) -keyout authority.key -out authority.pem -days 2 -subj '/CN=Test authority'")
  }

  deinit { system("rm -r \(path)") }

  private static let newKey = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"

  /// A server's side with a certificate for these names, `DNS:…` and `IP:…`.
  func server(for names: String, days: Int = 2) throws -> TLSContext {
    try run("req \(Self.newKey) -keyout server.key -out server.csr -subj '/CN=Test server'")
    let file = try #require(fopen(path + "/names", "w"))
    fputs("subjectAltName=\(names)", file)
    fclose(file)
    try run(
      "x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days \(days) "
        + "-extfile names -out server.pem")
    let context = try #require(SSL_CTX_new(TLS_server_method()))
    #expect(SSL_CTX_use_certificate_chain_file(context, path + "/server.pem") == 1)
    #expect(SSL_CTX_use_PrivateKey_file(context, path + "/server.key", SSL_FILETYPE_PEM) == 1)
    return TLSContext(adopting: context)
  }

  private func run(_ command: String) throws {
    try #require(system("cd \(path) && openssl \(command) 2>log") == 0)
  }
}
