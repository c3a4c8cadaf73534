import Bytes
import Testing

@testable import Jupyter
@testable import Server

@Suite struct ExecutionStateTests {
  @Test func `an interrupt before the execution has the kernel cancels it`() {
    var execution = Execution()
    #expect(execution.interrupt() == [.leaveQueue])
    #expect(execution.state == .cancelled)
    execution.kernelTaken()
    #expect(execution.state == .cancelled && execution.isInterrupted)
  }

  @Test func `the grace is spent on interrupts that come ever later, the last with the end of children`()
    throws
  {
    for (grace, attempts, last) in [(13000, 7, 6700), (300, 2, 200), (299, 1, 299), (10, 1, 10)] {
      var execution = Execution(grace: .milliseconds(grace))
      execution.kernelTaken()
      var actions = execution.interrupt(.timeout(.seconds(1)))
      for _ in 1..<attempts { actions += execution.interruptTimedOut() }
      #expect(actions.last == .wait(.milliseconds(last)))
      #expect(actions.count { $0 == .interruptKernel } == attempts)
      #expect(actions.contains(.endChildren) == (attempts > 1))
      let waits = actions.compactMap { if case .wait(let duration) = $0 { duration } else { nil } }
      #expect(waits.reduce(.zero, +) == .milliseconds(grace))
      #expect(execution.interruptTimedOut() == [.replaceKernel])
      #expect(execution.outcome == .timedOut)
    }
  }

  @Test func `code that has replied is no longer over its time`() throws {
    var execution = Self.running()
    _ = try execution.receive(Messages.reply())
    #expect(execution.timeOut(after: .seconds(1)).isEmpty && !execution.isInterrupted)
    #expect(execution.outcome == .succeeded)
  }

  @Test func `a time-out is the one error, with the traceback of the code`() throws {
    var execution = Self.running()
    #expect(!execution.timeOut(after: .seconds(2)).isEmpty)
    let events = try execution.receive(
      Messages.iopub("error", #"{"ename": "KeyboardInterrupt", "evalue": "", "traceback": ["line 1"]}"#))
    guard case .error(let name, let value, let traceback)? = events.first else { throw JSONErrorMissing() }
    #expect(name == "ExecutionTimeout" && traceback == ["line 1"])
    #expect(value == "the code ran for more than 2 s and was interrupted; the context's memory is kept")
    #expect(execution.lastEvents().isEmpty && execution.outcome == .timedOut)
  }

  @Test func `code that handles its interrupt at a time-out is told of it all the same`() throws {
    var execution = Self.running()
    _ = execution.timeOut(after: .milliseconds(250))
    _ = try execution.receive(Messages.reply())
    guard case .error(let name, let value, _)? = execution.lastEvents().first else {
      throw JSONErrorMissing()
    }
    #expect(name == "ExecutionTimeout" && value.description.contains("more than 0.25 s"))
  }

  private struct JSONErrorMissing: Error {}

  @Test func `code that ignores interrupts is interrupted ever later, then its kernel is replaced`() {
    var execution = Self.running()
    var actions = [execution.interrupt()]
    for _ in 0..<8 { actions.append(execution.interruptTimedOut()) }
    var interrupts = (0..<6).map { [Execution.Action.interruptKernel, .wait(.milliseconds(100 << $0))] }
    interrupts.append([.endChildren, .interruptKernel, .wait(.milliseconds(6700))])
    #expect(actions == interrupts + [[.replaceKernel], []])
    #expect(execution.state == .replacingKernel && execution.isInterrupted)
  }

  @Test func `a second interrupt does not shorten the wait`() {
    var execution = Self.running()
    _ = execution.interrupt()
    #expect(execution.interrupt().isEmpty)
    #expect(execution.state == .interrupted(attempts: 1))
  }

  @Test func `an idle kernel that has not replied is asked, and no longer interrupted`() throws {
    var execution = Self.running()
    _ = execution.interrupt()
    #expect(execution.findReply().isEmpty)
    _ = try execution.receive(Messages.status("idle"))
    #expect(execution.findReply() == [.findReply])
    #expect(execution.findReply().isEmpty)
    #expect(execution.interruptTimedOut() == [.wait(.milliseconds(200))])
    for _ in 0..<5 { _ = execution.interruptTimedOut() }
    #expect(execution.interruptTimedOut() == [.replaceKernel])
  }

  @Test func `a kernel that was idle before the interrupt is interrupted once`() throws {
    var execution = Self.running()
    _ = try execution.receive(Messages.status("idle"))
    #expect(execution.findReply().isEmpty)
    #expect(execution.interrupt() == [.findReply, .interruptKernel, .wait(.milliseconds(100))])
    #expect(execution.interruptTimedOut() == [.wait(.milliseconds(200))])
  }

  @Test func `nothing is done when the kernel has sent everything, or the execution has ended`() throws {
    var complete = Self.running()
    _ = try complete.receive(Messages.reply())
    _ = try complete.receive(Messages.status("idle"))
    #expect(complete.interrupt().isEmpty && !complete.isInterrupted)
    var ended = Self.running()
    _ = ended.interrupt()
    ended.end()
    #expect(ended.interruptTimedOut().isEmpty && ended.interrupt().isEmpty && ended.findReply().isEmpty)
    #expect(ended.state == .ended)
  }

  @Test func `a kernel that never got the code leaves the execution unchanged`() {
    var execution = Self.running()
    execution.kernelMissed()
    #expect(execution.state == .waiting)
    execution.kernelTaken()
    _ = execution.interrupt()
    execution.kernelMissed()
    #expect(execution.state == .cancelled && execution.interruptTimedOut().isEmpty)
  }

  private static func running() -> Execution {
    var execution = Execution()
    execution.kernelTaken()
    return execution
  }
}
