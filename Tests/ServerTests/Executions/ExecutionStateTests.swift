import Testing

@testable import Jupyter
@testable import Server

@Suite struct ExecutionStateTests {
  @Test func `an interrupt before the execution has the kernel cancels it`() {
    var execution = Execution()
    #expect(execution.interrupt().isEmpty)
    #expect(execution.state == .calledOff)
    execution.kernelTaken()
    #expect(execution.state == .calledOff && execution.isInterrupted)
  }

  @Test func `a client that disconnects removes its execution from the queue or interrupts it`() {
    var waiting = Execution()
    #expect(waiting.abandon() == [.leaveQueue])
    #expect(waiting.state == .calledOff)
    var running = Self.running()
    #expect(running.abandon() == [.leaveQueue, .interruptKernel, .wait(.milliseconds(100))])
  }

  @Test func `code that ignores interrupts is interrupted ever later, then its kernel is replaced`() {
    var execution = Self.running()
    var actions = [execution.interrupt()]
    for _ in 0..<8 { actions.append(execution.patienceEnded()) }
    let interrupts = (0..<7).map { [Execution.Action.interruptKernel, .wait(.milliseconds(100 << $0))] }
    #expect(actions == interrupts + [[.replaceKernel], []])
    #expect(execution.state == .givenUp && execution.isInterrupted)
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
    #expect(execution.patienceEnded() == [.wait(.milliseconds(200))])
    for _ in 0..<5 { _ = execution.patienceEnded() }
    #expect(execution.patienceEnded() == [.replaceKernel])
  }

  @Test func `a kernel that was idle before the interrupt is interrupted once`() throws {
    var execution = Self.running()
    _ = try execution.receive(Messages.status("idle"))
    #expect(execution.findReply().isEmpty)
    #expect(execution.interrupt() == [.findReply, .interruptKernel, .wait(.milliseconds(100))])
    #expect(execution.patienceEnded() == [.wait(.milliseconds(200))])
  }

  @Test func `nothing is done when the kernel has sent everything, or the execution has ended`() throws {
    var complete = Self.running()
    _ = try complete.receive(Messages.reply())
    _ = try complete.receive(Messages.status("idle"))
    #expect(complete.interrupt().isEmpty && !complete.isInterrupted)
    var ended = Self.running()
    _ = ended.interrupt()
    ended.end()
    #expect(ended.patienceEnded().isEmpty && ended.interrupt().isEmpty && ended.findReply().isEmpty)
    #expect(ended.state == .ended(wasInterrupted: true))
  }

  @Test func `a kernel that never got the code leaves the execution unchanged`() {
    var execution = Self.running()
    execution.kernelMissed()
    #expect(execution.state == .waiting)
    execution.kernelTaken()
    _ = execution.interrupt()
    execution.kernelMissed()
    #expect(execution.state == .calledOff && execution.patienceEnded().isEmpty)
  }

  private static func running() -> Execution {
    var execution = Execution()
    execution.kernelTaken()
    return execution
  }
}
