import Glibc
package import Loop
import Testing

/// A test authority, made with the openssl command, and its certificates.
package final class TestAuthority {
  private let path: String

  package var certificate: String { path + "/authority.pem" }

  package init() throws {
    path = try TemporaryDirectory(prefix: "test-authority-").path
    try run(
      "req -x509 \(Self.newKey) -keyout authority.key -out authority.pem -days 2 -subj '/CN=Test authority'")
  }

  deinit { system("rm -r \(path)") }

  private static let newKey = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"

  /// A server's certificate for these names, `DNS:…` and `IP:…`.
  package func identity(for names: String = "DNS:localhost,IP:127.0.0.1", days: Int = 2) throws -> TLSIdentity
  {
    let files = try files(for: names, days: days)
    return try TLSIdentity(certificate: files.certificate, key: files.key)
  }

  /// The same as files; each call replaces those of the last one.
  package func files(
    for names: String = "DNS:localhost,IP:127.0.0.1", days: Int = 2
  ) throws -> (certificate: String, key: String) {
    try run("req \(Self.newKey) -keyout server.key -out server.csr -subj '/CN=Test server'")
    try write("subjectAltName=\(names)", to: "names")
    try run(
      "x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days \(days) "
        + "-extfile names -out server.pem")
    return (path + "/server.pem", path + "/server.key")
  }

  /// Puts a certificate and a key of another authority in the place of `files`.
  package func replaceFiles(by other: TestAuthority) throws {
    let files = try other.files()
    try shell("cp \(files.certificate) server.pem && cp \(files.key) server.key")
  }

  /// Makes the certificate of `files` unusable.
  package func breakFiles() throws { try write("nonsense", to: "server.pem") }

  /// The key of `files`, protected by a passphrase.
  package func encryptedKey() throws -> String {
    try run("pkey -in server.key -aes256 -passout pass:secret -out encrypted.key")
    return path + "/encrypted.key"
  }

  /// A file without a certificate or a key.
  package func nonsense() throws -> String {
    try write("nonsense", to: "nonsense")
    return path + "/nonsense"
  }

  private func write(_ text: String, to name: String) throws {
    let file = try #require(fopen("\(path)/\(name)", "w"))
    fputs(text, file)
    fclose(file)
  }

  private func run(_ command: String) throws { try shell("openssl \(command) 2>log") }

  /// Runs a command in the directory.
  ///
  /// What it prints tells whether it has succeeded, and not its exit status: a `Subreaper` of another test may reap it first.
  private func shell(_ command: String) throws {
    let output = try #require(popen("cd \(path) && \(command) && echo done", "r"))
    var line = [CChar](repeating: 0, count: 16)
    let isDone = fgets(&line, CInt(line.count), output) != nil
    pclose(output)
    try #require(isDone, "\(command)")
  }
}
