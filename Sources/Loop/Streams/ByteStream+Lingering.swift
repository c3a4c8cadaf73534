import Memory

extension ByteStream {
  /// Closes so that the peer gets all that was written, also while it is still sending.
  ///
  /// A socket that is closed with unread bytes sends a reset, which can destroy what the peer has not read yet
  /// (RFC 9112, 9.6): so this sends FIN first, then reads and forgets until the peer has closed too, for `patience` at
  /// most. Cancellation cuts it short.
  public func closeLingering(patience: Duration) async {
    let deadline = Deadline { self.abort() }
    deadline.start(patience)
    do {
      try await shutdownOutput()
      repeat { inbound.discard(inbound.count) } while try await fill()
    } catch {
      // Broken, too late or cancelled: there is nobody to be kind to.
    }
    deadline.close()
    await close()
  }
}
