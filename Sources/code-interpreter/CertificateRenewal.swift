import Logging
import Loop

/// Reads a certificate again at each SIGHUP, as those do who have put a new one in its place.
@LoopActor
final class CertificateRenewal {
  private let signals: SignalWatcher

  /// - Throws: `UVError` if the signal cannot be watched.
  init(of identity: TLSIdentity, logger: Logger) throws {
    let signals = try SignalWatcher([.hangUp])
    self.signals = signals
    LoopActor.task {
      while (try? await signals.next()) != nil { await Self.renew(identity, logger) }
    }
  }

  /// Restores what SIGHUP does otherwise.
  func close() { signals.close() }

  /// One that cannot be used changes nothing.
  private static func renew(_ identity: TLSIdentity, _ logger: Logger) async {
    do {
      try await identity.renew()
      logger.notice("the certificate was read again")
    } catch {
      logger.error("the certificate was not read again: the old one stays", metadata: ["reason": "\(error)"])
    }
  }
}
