import CUV
import Bytes

/// Carries what a TLS connection has to say to the stream beneath, in its order and to the last byte.
///
/// A task of its own does it, one at a time. The tasks that write may be cancelled at any moment, and a record that
/// is lost then, or overtaken by another, would make all that follows it unreadable.
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

  /// Begins to send what there is, unless that is under way.
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

  /// Waits until less than `count` bytes have not been given to the stream; where that is 1, until it has taken all.
  /// - Throws: what broke the stream; `CancellationError`, what was written is sent all the same.
  func wait(forLessThan count: Int) async throws {
    try await progress.wait {
      failure != nil || (engine.outputCount < count && (count > 1 || !isSending))
    }
    if let failure { throw failure }
  }

  /// Sends what there is as far as a socket takes it at once, before it is closed: an alert is a few bytes.
  func sendLast() {
    guard !isSending, failure == nil, let socket = transport as? SocketStream else { return }
    socket.writeAtOnce(engine.takeOutput())
  }
}

extension SocketStream {
  /// Writes where nothing waits to be written before, and forgets what the socket does not take.
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
