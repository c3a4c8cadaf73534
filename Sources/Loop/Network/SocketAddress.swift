import CUV
import Glibc

/// The address of one end of a TCP connection.
public struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
  /// The IP address: `127.0.0.1`, `::1`.
  public let host: String
  /// The port number.
  public let port: UInt16

  /// The form in URLs: `127.0.0.1:80`, `[::1]:80`.
  public var description: String {
    host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
  }

  /// The numeric address. An IPv4 address is shown as such, even on a dual-stack socket (`::ffff:192.0.2.1`, RFC 4291,
  /// 2.5.5.2).
  public var plainHost: Substring {
    let mapped = "::ffff:"
    guard host.hasPrefix(mapped), host.utf8.contains(UInt8(ascii: ".")) else { return host[...] }
    return host.dropFirst(mapped.count)
  }

  /// The network that one client has to itself: an IPv4 address, or the first 64 bits of an IPv6 address (RFC 6177, 2).
  public var network: String {
    var address = sockaddr_in6()
    guard plainHost.utf8.contains(UInt8(ascii: ":")), uv_ip6_addr(host, 0, &address) == 0 else {
      return String(plainHost)
    }
    let prefix = withUnsafeBytes(of: address.sin6_addr) { $0.loadUnaligned(as: UInt64.self) }
    return String(UInt64(bigEndian: prefix), radix: 16) + "/64"
  }

  init?(_ address: NativeAddress) {
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    let (status, port) = address.withSocketAddress { pointer, _ -> (CInt, UInt16) in
      let raw = UnsafeRawPointer(pointer)
      switch CInt(pointer.pointee.sa_family) {
      case AF_INET:
        let internet = raw.assumingMemoryBound(to: sockaddr_in.self)
        let status = uv_ip4_name(internet, &text, text.count)
        return (status, internet.pointee.sin_port)
      case AF_INET6:
        let internet = raw.assumingMemoryBound(to: sockaddr_in6.self)
        let status = uv_ip6_name(internet, &text, text.count)
        return (status, internet.pointee.sin6_port)
      default: return (UVError.invalidArgument.rawValue, 0)
      }
    }
    guard status == 0 else { return nil }
    self.host = text.withUnsafeBufferPointer { String(cString: $0.baseAddress.unsafelyUnwrapped) }
    self.port = UInt16(bigEndian: port)
  }
}

/// A `sockaddr` of any family.
struct NativeAddress: Sendable {
  private var storage = sockaddr_storage()
  private(set) var length: socklen_t

  /// A copy of an address of getaddrinfo(3).
  init?(_ address: UnsafePointer<sockaddr>?, length: socklen_t) {
    guard let address, Int(length) <= MemoryLayout<sockaddr_storage>.size else { return nil }
    self.length = length
    withUnsafeMutableBytes(of: &storage) {
      $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: Int(length)))
    }
  }

  /// The address that `query`, such as getpeername(2), fills in.
  init?(filledBy query: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<CInt>) -> CInt) {
    var length = CInt(MemoryLayout<sockaddr_storage>.size)
    let status = withUnsafeMutableBytes(of: &storage) { bytes -> CInt in
      guard let start = bytes.baseAddress else { return UVError.invalidArgument.rawValue }
      return query(start.assumingMemoryBound(to: sockaddr.self), &length)
    }
    guard status == 0 else { return nil }
    self.length = socklen_t(length)
  }

  /// A numeric address, which needs no name resolution; nil for a name.
  init?(digits host: String, port: UInt16) {
    var four = sockaddr_in()
    var six = sockaddr_in6()
    if uv_ip4_addr(host, CInt(port), &four) == 0 {
      length = socklen_t(MemoryLayout<sockaddr_in>.size)
      withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: four, as: sockaddr_in.self) }
    } else if uv_ip6_addr(host, CInt(port), &six) == 0 {
      length = socklen_t(MemoryLayout<sockaddr_in6>.size)
      withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: six, as: sockaddr_in6.self) }
    } else {
      return nil
    }
  }

  /// The address of a Unix socket.
  ///
  /// - Throws: `UVError.nameTooLong`; `invalidArgument` for an empty path and one with NUL.
  init(path: String) throws(UVError) {
    let bytes = Array(path.utf8)
    guard !bytes.isEmpty, !bytes.contains(0) else { throw .invalidArgument }
    var local = sockaddr_un()
    local.sun_family = sa_family_t(AF_UNIX)
    let fits = withUnsafeMutableBytes(of: &local.sun_path) { target -> Bool in
      guard bytes.count < target.count else { return false }
      target.copyBytes(from: bytes)
      return true
    }
    guard fits else { throw .nameTooLong }
    length = socklen_t(MemoryLayout<sockaddr_un>.size)
    withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: local, as: sockaddr_un.self) }
  }

  var family: CInt { CInt(storage.ss_family) }

  /// Lends the address to a system call.
  func withSocketAddress<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
    withUnsafePointer(to: storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
    }
  }
}

/// Sets an option of a socket. If the system refuses, the socket works without it.
func setSocketOption(_ option: CInt, at level: CInt, of descriptor: CInt, to value: CInt) {
  var value = value
  setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<CInt>.size))
}
