import CUV
import Glibc

/// A descriptor of a process (pidfd_open(2)): its signals do not reach another process that got the same identifier later.
///
/// Linux before 5.3 has no such descriptors, and signals go to the process that has the identifier.
public final class ProcessDescriptor: Sendable {
  /// The process identifier. The system may give it to another process after the end of this one.
  public let identifier: Int32
  /// Readable after the process has ended; nil where the system has no descriptors of processes.
  let descriptor: Descriptor?

  /// Opens a descriptor of a process.
  /// - Throws: `UVError.noSuchProcess` where its parent has waited for it; `tooManyOpenFiles`.
  public init(_ process: Int32) throws(UVError) {
    identifier = process
    do {
      descriptor = Descriptor(adopting: try retrying { openProcess(process) })
    } catch UVError.notSupported {
      descriptor = nil
      if Glibc.kill(process, 0) != 0, errno == ESRCH { throw UVError.noSuchProcess }
    }
  }

  /// True if the process has ended, even if its parent has not waited for it yet. Without descriptors of processes it is
  /// false until the parent has.
  public var hasEnded: Bool {
    guard let descriptor else { return Glibc.kill(identifier, 0) != 0 && errno == ESRCH }
    var state = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
    return poll(&state, 1, 0) > 0
  }

  /// Waits until all of `processes` have ended, or `limit` has passed. Blocks.
  public static func awaitEnds(of processes: [ProcessDescriptor], for limit: Duration) {
    let end = uv_hrtime() + limit.nanoseconds
    for process in processes {
      guard let number = process.descriptor?.number else {
        usleep(2000)
        continue
      }
      let now = uv_hrtime()
      var state = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
      if now < end { poll(&state, 1, CInt((end - now) / 1_000_000) + 1) }
    }
  }

  /// Sends a signal to the process that has this identifier now, for want of a descriptor.
  public static func send(_ signal: Signal, toIdentifier identifier: Int32) {
    _ = Glibc.kill(identifier, signal.rawValue)
  }

  /// Sends a signal to the process.
  /// - Returns: false if the process has ended, or we may not signal it.
  @discardableResult
  public func send(_ signal: Signal) -> Bool {
    guard let descriptor else { return Glibc.kill(identifier, signal.rawValue) == 0 }
    return signalProcess(descriptor.number, signal.rawValue, 0) == 0
  }

  /// Sends a signal to the process group that the process leads or led.
  ///
  /// Linux before 6.9 addresses a group by its identifier alone. Another group may have got that after the end of the
  /// leader, so then no signal is sent.
  ///
  /// - Returns: false if no process got the signal.
  @discardableResult
  public func sendToGroup(_ signal: Signal) -> Bool {
    if let descriptor {
      if signalProcess(descriptor.number, signal.rawValue, toProcessGroup) == 0 { return true }
      if errno != EINVAL || hasEnded { return false }
    }
    return Glibc.kill(-identifier, signal.rawValue) == 0
  }
}
