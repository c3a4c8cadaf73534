import Bytes
import Testing
import Wire

@testable import Jupyter

@Suite struct MessageQueueTests {
  private let request = MessageIdentifier(ours: "request")

  @Test func `messages within the limit come out in order`() throws {
    var queue = MessageQueue(limit: 20_000)
    for number in 0..<10 {
      let outcome = queue.append(try output("\(number)"), after: request)
      #expect(outcome == .kept)
    }
    #expect(drain(&queue) == (0..<10).map { #"iopub {"text":"\#($0)"}"# })
  }

  @Test func `a taken message makes room for others`() throws {
    var queue = MessageQueue(limit: 4000)
    for _ in 0..<100 {
      let outcome = queue.append(try output("x"), after: request)
      #expect(outcome == .kept)
      #expect(queue.popFirst() != nil)
    }
  }

  @Test func `the kernel should pause from half of the limit on, until less than a quarter is left`() throws {
    var queue = MessageQueue(limit: 20 * MessageQueue.overhead)
    var pressing: [Bool] = []
    for number in 0..<12 {
      _ = queue.append(try output("\(number)"), after: request)
      pressing.append(queue.isPressing)
    }
    #expect(pressing.firstIndex(of: true).map { (9...10).contains($0) } == true)
    #expect(!pressing.drop { !$0 }.contains(false))
    var left = 12
    while queue.isPressing, queue.popFirst() != nil { left -= 1 }
    #expect((4...5).contains(left))
    #expect(queue.isEmpty == false)
  }

  @Test func `a queue that is emptied does not press`() throws {
    var queue = MessageQueue(limit: 2 * MessageQueue.overhead)
    _ = queue.append(try output("0"), after: request)
    #expect(queue.isPressing)
    queue.removeAll()
    #expect(!queue.isPressing)
  }

  @Test
  func `output beyond the limit is dropped until its code has ended, and the loss is told in its place`()
    throws
  {
    var queue = MessageQueue(limit: 2400)
    var outcomes: [MessageQueue.Outcome] = []
    for number in 0..<4 { outcomes.append(queue.append(try output("\(number)"), after: request)) }
    #expect(outcomes == [.kept, .kept, .overflowed, .dropped])
    // Taking messages meanwhile does not resume the output in the middle.
    #expect(queue.popFirst()?.text == #"iopub {"text":"0"}"#)
    let late = queue.append(try output("late"), after: request)
    #expect(late == .dropped)
    let reply = queue.append(try message(.shell, "execute_reply", "{}"), after: request)
    #expect(reply == .kept)
    let idle = queue.append(try status("idle", of: "request"), after: request)
    #expect(idle == .kept)
    let next = queue.append(try output("5"), after: request)
    #expect(next == .kept)
    #expect(
      drain(&queue) == [
        #"iopub {"text":"1"}"#, "shell {}", "lost 39", #"iopub {"execution_state":"idle"}"#,
        #"iopub {"text":"5"}"#,
      ])
  }

  @Test func `the status of another request does not end a loss, and a new request does`() throws {
    var queue = MessageQueue(limit: 1200)
    _ = queue.append(try output("0"), after: request)
    _ = queue.append(try output("1"), after: request)
    _ = queue.append(try status("idle", of: "interrupt"), after: request)
    let before = queue.append(try output("2"), after: request)
    #expect(before == .dropped)
    queue.endLoss()
    _ = drain(&queue)
    let after = queue.append(try output("3"), after: MessageIdentifier(ours: "another"))
    #expect(after == .kept)
  }

  @Test func `too many replies are an overrun`() throws {
    var queue = MessageQueue(limit: 4000)
    var outcomes: [MessageQueue.Outcome] = []
    for _ in 0..<10 {
      outcomes.append(queue.append(try message(.shell, "execute_reply", "{}"), after: request))
    }
    #expect(outcomes.prefix(3).allSatisfy { $0 == .kept })
    #expect(outcomes.last == .overrun)
  }

  @Test func `a death comes after the loss`() throws {
    var queue = MessageQueue(limit: 1200)
    _ = queue.append(try output("0"), after: request)
    _ = queue.append(try output("1"), after: request)
    queue.append(death: "killed by SIGKILL")
    #expect(drain(&queue) == [#"iopub {"text":"0"}"#, "lost 12", "killed by SIGKILL"])
  }

  @Test func `a single message may exceed the limit`() throws {
    var queue = MessageQueue(limit: 1200)
    let long = String(repeating: "x", count: 10_000)
    let first = queue.append(try output(long), after: request)
    #expect(first == .kept)
    let second = queue.append(try output(long), after: request)
    #expect(second == .overflowed)
  }

  @Test func `a message longer than the limit is kept after messages that are not output`() throws {
    var queue = MessageQueue(limit: 2400)
    _ = queue.append(try status("busy", of: "request"), after: request)
    let long = queue.append(try output(String(repeating: "x", count: 10_000)), after: request)
    #expect(long == .kept)
    let idle = queue.append(try status("idle", of: "request"), after: request)
    #expect(idle == .kept)
  }

  @Test func `output that was dropped earlier counts as dropped`() throws {
    var queue = MessageQueue(limit: 4000)
    let first = queue.drop(1000, after: request)
    #expect(first == .overflowed)
    let second = queue.drop(500, after: request)
    #expect(second == .dropped)
    let output = queue.append(try output("1"), after: request)
    #expect(output == .dropped)
    _ = queue.append(try status("idle", of: "request"), after: request)
    #expect(drain(&queue) == ["lost 1512", #"iopub {"execution_state":"idle"}"#])
  }

  private func output(_ text: String) throws -> Message {
    try message(.iopub, "stream", #"{"text":"\#(text)"}"#)
  }

  private func status(_ state: String, of request: String) throws -> Message {
    try message(.iopub, "status", #"{"execution_state":"\#(state)"}"#, of: request)
  }

  private func message(
    _ channel: KernelChannelName, _ type: String, _ content: String, of request: String = "request"
  ) throws -> Message {
    try Message(
      KernelFrame(
        channel: channel, header: Bytes(#"{"msg_id":"x","msg_type":"\#(type)"}"#),
        parentHeader: Bytes(#"{"msg_id":"\#(request)"}"#), metadata: Bytes(), content: Bytes(content)))
  }

  private func drain(_ queue: inout MessageQueue) -> [String] {
    var texts: [String] = []
    while let event = queue.popFirst() { texts.append(event.text) }
    return texts
  }
}

extension KernelEvent {
  fileprivate var text: String {
    switch self {
    case .message(let message): "\(message.channel) \((try? message.content().bytes).map(String.init) ?? "")"
    case .lost(let loss): "lost \(loss.bytes)"
    case .died(let how): how
    }
  }
}
