import Glibc
public import Bytes

extension SocketStream {
  /// Sends what the socket has room for, and reads the block behind it. So a full socket needs no second way to wait for room, and a
  /// peer that reads nothing costs the memory of one short block.
  public func send(_ part: inout FilePart) async throws -> Bytes {
    let whole = part
    // Bytes that wait come first.
    let socket = output.queuedCount == 0 ? duplicateDescriptor() : nil
    let (sent, rest, block) = try await Pending { () throws(UVError) in
      var rest = whole
      let sent = socket.map { rest.sendFirst(to: $0) } ?? 0
      let block = try rest.readFirst(StreamLimits.fileBlock)
      return (sent, rest, block)
    }.value()
    output.totalCount &+= sent
    part = rest
    return block
  }

  /// The same socket under another number, for another thread: the stream may be closed meanwhile, and its number be that of
  /// another file. nil if the process has no descriptors left.
  private func duplicateDescriptor() -> Descriptor? {
    guard let descriptor else { return nil }
    return (try? retrying { fcntl(descriptor, F_DUPFD_CLOEXEC, 0) }).map(Descriptor.init(adopting:))
  }
}
