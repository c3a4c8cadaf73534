import Bytes
import COpenSSL

/// The records of a TLS connection on their way: those of the peer, which the engine reads, and its own, which the owner sends.
///
/// OpenSSL calls it as a BIO. A memory BIO of OpenSSL would copy them once more in each direction, and never gives back the
/// memory that it had at its largest.
final class TLSRecords {
  /// Records of the peer that OpenSSL has not read.
  var received = ByteBuffer()
  /// Records for the peer.
  var toSend = ByteBuffer()

  /// A BIO that refers to this object, which must outlive it; nil without memory.
  func makeBIO() -> OpaquePointer? {
    guard let method = Self.method, let bio = BIO_new(method) else { return nil }
    BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
    BIO_set_init(bio, 1)
    return bio
  }

  /// `nonisolated(unsafe)`: nothing changes it after its creation.
  private nonisolated(unsafe) static let method: OpaquePointer? = {
    guard let method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "records") else { return nil }
    BIO_meth_set_read(method) { bio, target, count in
      TLSRecords.of(bio)?.read(into: target, count, of: bio) ?? -1
    }
    BIO_meth_set_write(method) { bio, source, count in TLSRecords.of(bio)?.write(source, count) ?? -1 }
    // Nothing is held back that a flush would have to send.
    BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
    return method
  }()

  private static func of(_ bio: OpaquePointer?) -> TLSRecords? {
    BIO_get_data(bio).map { Unmanaged<TLSRecords>.fromOpaque($0).takeUnretainedValue() }
  }

  private func read(into target: UnsafeMutablePointer<CChar>?, _ count: CInt, of bio: OpaquePointer?) -> CInt
  {
    let taken = received.take(min(Int(count), received.count))
    setRetryRead(bio, taken.isEmpty)
    if taken.isEmpty { return -1 }
    taken.withUnsafeBytes { bytes in
      UnsafeMutableRawBufferPointer(start: target, count: Int(count)).copyMemory(from: bytes)
    }
    return CInt(taken.count)
  }

  private func write(_ source: UnsafePointer<CChar>?, _ count: CInt) -> CInt {
    toSend.append(contentsOf: UnsafeRawBufferPointer(start: source, count: Int(count)))
    return count
  }
}
