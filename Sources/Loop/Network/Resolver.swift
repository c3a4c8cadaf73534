import CUV
import Glibc

/// Resolves host names on libuv's thread pool.
@LoopActor
enum Resolver {
  /// All stream addresses of `host` in the system's order of preference; never empty.
  static func addresses(of host: String, port: UInt16) async throws -> [NativeAddress] {
    try Task.checkCancellation()
    guard !host.isEmpty, !host.utf8.contains(0) else { throw UVError.invalidArgument }
    if let address = NativeAddress(digits: host, port: port) { return [address] }
    let lookup = try Lookup(host: host, port: port)
    do {
      try await lookup.done.wait { lookup.status != nil }
    } catch {
      lookup.cancel()
      throw error
    }
    try checked(lookup.status ?? 0)
    guard !lookup.addresses.isEmpty else { throw UVError.unknownHost }
    return lookup.addresses
  }
}

/// One `uv_getaddrinfo` request. It keeps itself alive until the callback, also if no task waits any more.
@LoopActor
private final class Lookup {
  let done = WaitQueue()
  private(set) var status: CInt?
  private(set) var addresses: [NativeAddress] = []
  private nonisolated(unsafe) let request = UnsafeMutablePointer<uv_getaddrinfo_t>.allocate(capacity: 1)

  init(host: String, port: UInt16) throws(UVError) {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV
    request.pointee.data = Unmanaged.passUnretained(self).toOpaque()
    try checked(
      uv_getaddrinfo(
        EventLoop.shared.raw, request,
        { request, status, found in
          guard let data = request?.pointee.data else { return }
          let owner = Unmanaged<Lookup>.fromOpaque(data).takeRetainedValue()
          nonisolated(unsafe) let found = found
          LoopActor.enter { owner.finish(status, found) }
        }, host, String(port), &hints))
    _ = Unmanaged.passRetained(self)
  }

  deinit { request.deallocate() }

  /// Cancels the request if no thread has begun with it.
  func cancel() {
    request.withMemoryRebound(to: uv_req_t.self, capacity: 1) { _ = uv_cancel($0) }
  }

  private func finish(_ status: CInt, _ found: UnsafeMutablePointer<addrinfo>?) {
    var next = found
    while let entry = next {
      if let address = NativeAddress(entry.pointee.ai_addr, length: entry.pointee.ai_addrlen) {
        addresses.append(address)
      }
      next = entry.pointee.ai_next
    }
    uv_freeaddrinfo(found)
    self.status = status
    done.wakeAll()
  }
}
