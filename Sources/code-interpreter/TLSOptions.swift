import ArgumentParser
import Logging
import Loop

/// The options for `https`.
struct TLSOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      The server's certificate with its intermediate ones (PEM): makes it a server for https, TLS 1.2 or later. On SIGHUP \
      certificate and key are read again; connections that are open go on.
      """, valueName: "file"))
  var tlsCertificate: String?

  @Option(
    help: ArgumentHelp(
      "The certificate's private key (PEM), without a passphrase. Only its owner should be able to read it.",
      valueName: "file"))
  var tlsKey: String?

  func validate() throws {
    guard (tlsCertificate == nil) == (tlsKey == nil) else {
      throw ValidationError("Give both --tls-certificate and --tls-key, or neither.")
    }
  }

  /// Reads the files; nil without the options.
  ///
  /// - Throws: `ValidationError`.
  func identity(logger: Logger) throws -> TLSIdentity? {
    guard let tlsCertificate, let tlsKey else { return nil }
    do {
      let identity = try TLSIdentity(certificate: tlsCertificate, key: tlsKey)
      if SecretFile.isReadableByOthers(tlsKey) {
        logger.warning(
          "others than its owner can read the private key (chmod 600 makes it private)",
          metadata: ["file": "\(tlsKey)"])
      }
      return identity
    } catch {
      throw ValidationError("\(error).")
    }
  }
}
