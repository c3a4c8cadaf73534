import Jupyter
import Testing

@testable import Server

@Suite struct ContextLifecycleTests {
  private static let object = Object()
  private let kernel = ObjectIdentifier(object)
  private let death = KernelEnd.died("killed by SIGKILL")
  private let disconnection = KernelEnd.connectionLost("reset")

  @Test func `a kernel is started once, and again if that failed`() {
    var context = ContextLifecycle()
    #expect(!context.hasBegun && context.state == .unused)
    #expect(context.begin() == .start)
    #expect(context.begin() == nil)
    #expect(context.state == .starting && context.retryStart() == .start)
    #expect(context.kernelReady(2) == true)
    #expect(context.isReady)
  }

  @Test func `a kernel from an earlier start is discarded`() throws {
    var context = ContextLifecycle()
    _ = context.begin()
    #expect(try context.restart(after: nil) == .restart)
    #expect(context.kernelReady(1) == false)
    #expect(context.state == .restarting)
    #expect(context.kernelReady(2) == true)
  }

  @Test func `a kernel that dies is replaced, and its end reported once`() {
    var context = ready()
    #expect(context.kernelEnded(kernel, death) == .replace(death))
    #expect(context.state == .lost && context.takeLoss() == nil)
    #expect(context.kernelReady(2) == true)
    #expect(context.takeLoss() == "killed by SIGKILL")
    #expect(context.takeLoss() == nil)
  }

  @Test func `an exit that code has asked for is reported with that reason`() {
    var context = ready()
    context.expectEnd(of: kernel, because: "exit() was called")
    _ = context.kernelEnded(kernel, death)
    #expect(context.kernelReady(2) == true)
    #expect(context.takeLoss() == "exit() was called")
  }

  @Test func `a requested restart is not reported, a necessary one is`() throws {
    var context = ready()
    _ = try context.restart(after: nil)
    #expect(context.kernelEnded(kernel, death) == .replace(death))
    #expect(context.kernelReady(3) == true)
    #expect(context.takeLoss() == nil)
    _ = try context.restart(after: "it did not obey")
    #expect(context.kernelReady(4) == true)
    #expect(context.takeLoss() == "it did not obey")
  }

  @Test func `a lost connection is reported only if the kernel is lost with it`() {
    var context = ready()
    #expect(context.kernelEnded(kernel, disconnection) == .reconnect(disconnection))
    #expect(context.isDisconnected)
    #expect(context.kernelReady(2) == true)
    #expect(context.takeLoss() == nil && !context.isDisconnected)
    _ = context.kernelEnded(kernel, disconnection)
    context.kernelNotRecovered(3)
    #expect(context.isDisconnected)
    #expect(context.kernelReady(3) == true)
    #expect(context.takeLoss()?.hasPrefix("the connection to the kernel was lost") == true)
  }

  @Test func `a provider that is unavailable stays so until a kernel has started`() throws {
    var context = ready()
    _ = context.kernelEnded(kernel, disconnection)
    #expect(context.retryStart() == .start && context.isDisconnected)
    #expect(try context.restart(after: nil) == .restart && context.isDisconnected)
    #expect(context.kernelReady(4) == true)
    #expect(context.isReady)
  }

  @Test func `nothing follows a deletion`() {
    var context = ready()
    let end = KernelEnd.shutDown("it was deleted")
    context.delete(because: end)
    #expect(context.deletion == end && !context.isReady)
    #expect(context.kernelEnded(kernel, death) == nil && context.retryStart() == nil)
    #expect(throws: end) { try context.restart(after: nil) }
    #expect(context.state == .deleted(end))
  }

  private func ready() -> ContextLifecycle {
    var context = ContextLifecycle()
    _ = context.begin()
    _ = context.kernelReady(1)
    return context
  }

  private final class Object: Sendable {}
}
