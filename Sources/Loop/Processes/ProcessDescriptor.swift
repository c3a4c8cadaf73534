import CUV
import Glibc

/// A process that signals reach, and no other that has got its number since (pidfd_open(2)).
///
/// Before Linux 5.3, which has no descriptors of processes, signals go to whoever has the number.
public final class ProcessDescriptor: Sendable {
  /// The number that the system knows it by. It may be another's once the process has ended.
  public let identifier: Int32
  /// Readable when the process has ended; nil where the system has no descriptors of processes.
  let descriptor: Descriptor?

  /// Takes hold of a process.
  /// - Throws: `UVError.noSuchProcess` where it has ended and its parent knows; `tooManyOpenFiles`.
  public init(_ process: Int32) throws(UVError) {
    identifier = process
    do {
      descriptor = Descriptor(adopting: try retrying { openProcess(process) })
    } catch UVError.notSupported {
      descriptor = nil
      if Glibc.kill(process, 0) != 0, errno == ESRCH { throw UVError.noSuchProcess }
    }
  }

  /// True where it has ended, also when nobody has waited for it yet. Where the system has no descriptors of processes,
  /// one that nobody has waited for counts as living.
  public var hasEnded: Bool {
    guard let descriptor else { return Glibc.kill(identifier, 0) != 0 && errno == ESRCH }
    var state = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
    return poll(&state, 1, 0) > 0
  }

  /// True where its parent is `parent`, or is this process because that has ended.
  public func isChild(of parent: Int32) -> Bool {
    guard let entry = ProcessEntry(identifier), !hasEnded else { return false }
    return entry.parent == parent || entry.parent == getpid()
  }

  /// Sends a signal to whoever has that number now, for want of a descriptor.
  public static func send(_ signal: Signal, toNumber number: Int32) {
    _ = Glibc.kill(number, signal.rawValue)
  }

  /// Sends it a signal.
  /// - Returns: false where it has ended, or is not ours to signal.
  @discardableResult
  public func send(_ signal: Signal) -> Bool {
    guard let descriptor else { return Glibc.kill(identifier, signal.rawValue) == 0 }
    return signalProcess(descriptor.number, signal.rawValue, 0) == 0
  }

  /// Sends a signal to all in the process group that it leads, or has led.
  ///
  /// Before Linux 6.9 signals reach a group by its number alone, which may be another's once its leader has ended and
  /// its parent knows: then it is not sent.
  ///
  /// - Returns: false where nobody got it.
  @discardableResult
  public func sendToGroup(_ signal: Signal) -> Bool {
    if let descriptor {
      if signalProcess(descriptor.number, signal.rawValue, toProcessGroup) == 0 { return true }
      if errno != EINVAL || hasEnded { return false }
    }
    return Glibc.kill(-identifier, signal.rawValue) == 0
  }
}
