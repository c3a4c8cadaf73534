import TestLoop
import Glibc
import Bytes
import Testing

@testable import Loop

/// Two connected streams. `near` is the one that accepted.
@LoopActor
struct SocketPair {
  let near: SocketStream
  let far: SocketStream

  static func tcp() async throws -> SocketPair {
    let listener = try await Listener.bind(host: "127.0.0.1", port: 0)
    let port = try #require(listener.localAddress?.port)
    async let connected = SocketStream.connect(host: "127.0.0.1", port: port, timeout: .seconds(10))
    let near = try await listener.accept()
    let far = try await connected
    await listener.close()
    return SocketPair(near: near, far: far)
  }

  /// Over a Unix socket.
  static func local() async throws -> SocketPair {
    let directory = try TemporaryDirectory(prefix: "socket-pair-")
    let path = "\(directory.path)/socket"
    let listener = try Listener.bind(path: path)
    async let connected = SocketStream.connect(path: path, timeout: .seconds(10))
    let near = try await listener.accept()
    let far = try await connected
    await listener.close()
    await directory.remove()
    return SocketPair(near: near, far: far)
  }

  func close() async {
    await near.close()
    await far.close()
  }
}

/// Runs `body` with a connected pair, which it closes whatever happens.
func withPair(
  _ make: @escaping @LoopActor () async throws -> SocketPair = SocketPair.tcp,
  sourceLocation: SourceLocation = #_sourceLocation,
  _ body: @escaping @LoopActor (SocketPair) async throws -> Void
) async throws {
  try await onLoop(sourceLocation: sourceLocation) {
    let pair = try await make()
    do { try await body(pair) } catch {
      await pair.close()
      throw error
    }
    await pair.close()
  }
}

extension ByteStream {
  /// Reads until `count` bytes are there, or the stream ends, and takes them.
  func read(_ count: Int) async throws -> Bytes {
    while inbound.count < count {
      guard try await fill() else { break }
    }
    return inbound.take(min(count, inbound.count))
  }

  func write(_ text: StaticString) async throws { try await write([Bytes(stringLiteral: text)]) }
}

/// As `==`, at the speed of `memcmp`: unoptimised tests compare tens of megabytes.
func same(_ left: Bytes, _ right: Bytes) -> Bool {
  left.withUnsafeBytes { left in
    right.withUnsafeBytes { right in
      guard left.count == right.count else { return false }
      guard let first = left.baseAddress, let second = right.baseAddress else { return true }
      return memcmp(first, second, left.count) == 0
    }
  }
}

/// Bytes without repetition nearby, so that a lost or swapped piece shows.
func pattern(_ count: Int) -> Bytes {
  let words = [UInt32](unsafeUninitializedCapacity: count / 4 + 1) { words, used in
    used = count / 4 + 1
    var word: UInt32 = 1
    var index = 0
    while index < used {
      words[index] = word
      word = word &* 1_664_525 &+ 1_013_904_223
      index += 1
    }
  }
  return words.withUnsafeBytes { Bytes(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
}
