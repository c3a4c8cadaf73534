import CUV
import Bytes

/// Writes the output of a TLS engine to the transport, in order and completely.
///
/// A task of its own writes, one at a time. The callers' tasks may be cancelled at any moment, and a record that is then
/// lost or overtaken would make all later ones unreadable.
@LoopActor
final class TLSSender {
  private let engine: TLSEngine
  private let transport: any ByteStream
  private var isSending = false
  private var failure: (any Error)?
  private let progress = WaitQueue()

  init(_ engine: TLSEngine, over transport: any ByteStream) {
    self.engine = engine
    self.transport = transport
  }

  /// Begins to send the output, unless a task does so already.
  func start() {
    guard !isSending, failure == nil, engine.outputCount > 0 else { return }
    isSending = true
    LoopActor.task { await self.sendAll() }
  }

  private func sendAll() async {
    do {
      while case let output = engine.takeOutput(), !output.isEmpty {
        progress.wakeAll()
        try await transport.write([output])
      }
    } catch {
      failure = error
    }
    isSending = false
    progress.wakeAll()
  }

  /// Waits until less than `count` bytes wait for the transport; with a count of 1, until the transport has taken all.
  ///
  /// - Throws: what broke the transport; `CancellationError`, and what was written is still sent.
  func wait(forLessThan count: Int) async throws {
    try await progress.wait {
      failure != nil || (engine.outputCount < count && (count > 1 || !isSending))
    }
    if let failure { throw failure }
  }

  /// Sends as much of the output as the socket takes at once, before it is closed: an alert has a few bytes.
  func sendLast() {
    guard !isSending, failure == nil, let socket = transport as? SocketStream else { return }
    socket.writeAtOnce(engine.takeOutput())
  }
}

extension SocketStream {
  /// Writes if nothing else waits to be written, and drops what the socket does not take.
  fileprivate func writeAtOnce(_ bytes: Bytes) {
    guard isOpen, output.failure == nil, output.inFlight.isEmpty, output.waiting.isEmpty else { return }
    bytes.withUnsafeBytes { memory in
      var buffer = uv_buf_t(
        base: UnsafeMutablePointer(mutating: memory.baseAddress?.assumingMemoryBound(to: CChar.self)),
        len: memory.count)
      _ = uv_try_write(stream, &buffer, 1)
    }
  }
}
