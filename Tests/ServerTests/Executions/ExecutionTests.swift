import Bytes
import Testing

@testable import Jupyter
@testable import Server

@Suite struct ExecutionTests {
  /// The lines that a client reads when the kernel sends `messages`.
  private func lines(_ messages: [Message]) throws -> [String] {
    var execution = Execution()
    return try messages.flatMap { try execution.receive($0) }.map(line)
  }

  private func line(_ event: OutputEvent) -> String {
    NDJSONEncoder.line(event).map { String($0) }.joined()
  }

  @Test func `an execution is complete after reply and idle, in either order`() throws {
    for messages in [
      [try Messages.reply(), try Messages.status("idle")],
      [try Messages.status("idle"), try Messages.reply()],
    ] {
      var execution = Execution()
      for message in messages {
        #expect(!execution.isComplete)
        _ = try execution.receive(message)
      }
      #expect(execution.isComplete)
    }
  }

  @Test func `a malformed reply completes the execution and is reported at the end`() throws {
    let reply = try Messages.reply(#"{"status": NaN}"#)
    let input = try Messages.iopub("execute_input", #"{"execution_count": 3}"#)
    let idle = try Messages.status("idle")
    for messages in [[input, idle, reply], [reply, input, idle]] {
      let lines = try lines(messages)
      #expect(lines.count == 2)
      #expect(lines[0].contains("number_of_executions"))
      #expect(lines[1].contains("the kernel's reply was not JSON"))
    }
  }

  @Test func `an interrupted execution that is idle may have lost its reply`() throws {
    var execution = Execution()
    execution.kernelTaken()
    _ = try execution.receive(Messages.status("idle"))
    #expect(execution.findReply().isEmpty)
    #expect(execution.interrupt().contains(.findReply))
    _ = try execution.receive(Messages.reply())
    #expect(execution.findReply().isEmpty)
  }

  @Test func `a busy status does not complete the execution`() throws {
    var execution = Execution()
    _ = try execution.receive(Messages.status("busy"))
    _ = try execution.receive(Messages.reply())
    #expect(!execution.isComplete)
  }

  @Test func `the execution count comes once and first`() throws {
    let lines = try lines([
      Messages.iopub("execute_input", #"{"code": "1", "execution_count": 3}"#), Messages.reply(),
    ])
    #expect(lines == ["{\"type\":\"number_of_executions\",\"execution_count\":3}\n"])
  }

  @Test func `streams are sent unchanged`() throws {
    let lines = try lines([
      Messages.iopub("stream", #"{"name": "stdout", "text": "a\n\u00e9\ud83d"}"#),
      Messages.iopub("stream", #"{"text": "b", "name": "stderr"}"#),
      Messages.iopub("stream", #"{"name": "stdout", "text": ""}"#),
    ])
    let time = "2026-01-02T03:04:05.678901Z"
    #expect(
      lines == [
        "{\"type\":\"stdout\",\"text\":\"a\\n\\u00e9\\ud83d\",\"timestamp\":\"\(time)\"}\n",
        "{\"type\":\"stderr\",\"text\":\"b\",\"timestamp\":\"\(time)\"}\n",
      ])
  }

  @Test func `results have a field for every known type, and the rest under extra`() throws {
    let lines = try lines([
      Messages.iopub(
        "execute_result",
        #"{"data": {"text/plain": "'a'", "application/json": {"x": [1, 2]}, "image/png": "iVBO", "a/b": "c"}}"#
      )
    ])
    #expect(
      lines == [
        "{\"type\":\"result\",\"is_main_result\":true,\"text\":\"a\",\"html\":null,\"markdown\":null,"
          + "\"svg\":null,\"png\":\"iVBO\",\"jpeg\":null,\"pdf\":null,\"latex\":null,\"json\":{\"x\": [1, 2]},"
          + "\"javascript\":null,\"extra\":{\"a/b\":\"c\"}}\n"
      ])
  }

  @Test func `what E2B's clients know has fields where it is there`() throws {
    let bundle = #"{"data": {"e2b/chart": {"type": "line"}, "a/b": "c", "e2b/data": {"a": [1, "\u00e9é"]}}}"#
    let line = try #require(try lines([Messages.iopub("display_data", bundle)]).first)
    #expect(
      line.hasSuffix(
        #""javascript":null,"data":{"a": [1, "\u00e9\u00e9"]},"chart":{"type": "line"},"extra":{"a/b":"c"}}"#
          + "\n"))
  }

  @Test func `displayed data is not a main result and has no empty extra`() throws {
    let line = try #require(
      try lines([Messages.iopub("display_data", #"{"data": {"text/html": "<b>"}}"#)]).first)
    #expect(line.contains("\"is_main_result\":false"))
    #expect(line.contains("\"text\":null,\"html\":\"<b>\""))
    #expect(!line.contains("extra"))
  }

  @Test(arguments: [
    (#"{"text/javascript": "1"}"#, #""javascript":"1"}"#),
    (
      #"{"text/javascript": "2", "application/javascript": "1"}"#,
      #""javascript":"1","extra":{"text/javascript":"2"}}"#
    ),
  ])
  func javaScriptHasTwoNamesAndOneField(bundle: String, end: String) throws {
    let line = try lines([Messages.iopub("display_data", #"{"data": \#(bundle)}"#)])
    #expect(line.first?.hasSuffix(end + "\n") == true)
  }

  @Test func `data with a display_id is updated under it`() throws {
    let data = #""data": {"text/plain": "'a'"}, "metadata": {}"#
    let lines = try lines([
      Messages.iopub("display_data", "{\(data), \"transient\": {\"display_id\": \"one \\u00e9 é\"}}"),
      Messages.iopub("update_display_data", "{\(data), \"transient\": {\"display_id\": \"one\"}}"),
      Messages.iopub("display_data", "{\(data), \"transient\": {\"display_id\": 5}}"),
      Messages.iopub("execute_result", "{\(data), \"transient\": {\"display_id\": null}}"),
    ])
    let rest = ",\"text\":\"a\",\"html\":null"
    let starts = [
      "{\"type\":\"result\",\"display_id\":\"one \\u00e9 \\u00e9\",\"is_main_result\":false\(rest)",
      "{\"type\":\"display_update\",\"display_id\":\"one\",\"is_main_result\":false\(rest)",
      "{\"type\":\"result\",\"display_id\":\"5\",\"is_main_result\":false\(rest)",
      "{\"type\":\"result\",\"is_main_result\":true\(rest)",
    ]
    #expect(lines.count == 4)
    for (line, start) in zip(lines, starts) { #expect(line.hasPrefix(start)) }
  }

  @Test func `an update without a display_id is only displayed`() throws {
    let lines = try lines([
      Messages.iopub("update_display_data", #"{"data": {"text/plain": "a"}, "transient": {}}"#)
    ])
    #expect(lines.first?.hasPrefix("{\"type\":\"result\",\"is_main_result\":false,") == true)
  }

  @Test func `output is cleared`() throws {
    let lines = try lines([
      Messages.iopub("clear_output", #"{"wait": true}"#), Messages.iopub("clear_output", #"{"wait": false}"#),
      Messages.iopub("clear_output", "{}"),
    ])
    let now = "{\"type\":\"clear_output\",\"wait\":false}\n"
    #expect(lines == ["{\"type\":\"clear_output\",\"wait\":true}\n", now, now])
  }

  @Test func `a restart is reported with its reason`() {
    #expect(
      line(.contextRestarted(reason: "killed by \"é\""))
        == #"{"type":"context_restarted","reason":"killed by \"\u00e9\""}"# + "\n")
  }

  @Test func `all text is ASCII`() throws {
    let text = "\u{6C49}\u{1F600}é\u{2028}"
    let lines = try lines([
      Messages.iopub("stream", "{\"name\": \"stdout\", \"text\": \"\(text)\"}"),
      Messages.iopub(
        "display_data",
        "{\"data\": {\"text/plain\": \"\(text)\", \"text/html\": \"\(text)\", \"application/json\": {\"\(text)\": [\"\(text)\"]}, "
          + "\"\(text)\": \"\(text)\"}}"),
      Messages.iopub(
        "error", "{\"ename\": \"\(text)\", \"evalue\": \"\(text)\", \"traceback\": [\"\(text)\"]}"),
    ])
    #expect(lines.count == 3)
    for (line, count) in zip(lines, [1, 6, 3]) {
      #expect(line.utf8.allSatisfy { $0 < 0x80 })
      #expect(
        line.split(separator: #"\u6c49\ud83d\ude00\u00e9\u2028"#, omittingEmptySubsequences: false).count
          == count + 1)
    }
  }

  @Test func `JSON over several lines becomes one line`() throws {
    let line = try #require(
      try lines([Messages.iopub("display_data", "{\"data\": {\"application/json\": {\n\"a\":\r\n1}}}")]).first
    )
    #expect(line.dropLast().contains { $0.isNewline } == false)
  }

  @Test func `tracebacks lose their colours`() throws {
    let lines = try lines([
      Messages.iopub(
        "error",
        ##"{"ename": "E", "evalue": "v", "traceback": ["\u001b[0;31mone\u001b[0m", "two"]}"##)
    ])
    #expect(lines == ["{\"type\":\"error\",\"name\":\"E\",\"value\":\"v\",\"traceback\":\"one\\ntwo\"}\n"])
  }

  @Test func `an error that only the reply contains is reported`() throws {
    let error = #"{"status": "error", "ename": "E", "evalue": "v", "traceback": []}"#
    let told = try lines([Messages.reply(error), Messages.status("idle")])
    #expect(told.count == 1)
    #expect(told.first?.contains("\"name\":\"E\"") == true)
    #expect(try lines([Messages.status("idle"), Messages.reply(error)]) == told)
  }

  @Test func `an error is reported once, whichever channel is first`() throws {
    let error = #"{"status": "error", "ename": "E", "evalue": "v", "traceback": []}"#
    let output = try Messages.iopub("error", error)
    let reply = try Messages.reply(error)
    let idle = try Messages.status("idle")
    for order in [[output, reply, idle], [output, idle, reply], [reply, output, idle]] {
      #expect(try lines(order).count == 1)
    }
  }

  @Test func `an aborted execution is reported`() throws {
    let reply = try Messages.reply(#"{"status": "aborted"}"#)
    let idle = try Messages.status("idle")
    for order in [[reply, idle], [idle, reply]] {
      let lines = try lines(order)
      #expect(lines.count == 1)
      #expect(lines.first?.contains("an interrupt emptied the kernel's queue before the code ran") == true)
    }
    let input = try Messages.iopub("execute_input", #"{"execution_count": 1, "code": ""}"#)
    let lines = try lines([input, reply, idle])
    #expect(lines.last?.contains("the execution was interrupted") == true)
  }

  @Test func `if output was dropped, no other error is reported`() throws {
    for reply in [#"{"status": "aborted"}"#, #"{"status": "error", "ename": "KeyboardInterrupt"}"#] {
      var execution = Execution()
      execution.kernelTaken()
      _ = execution.interrupt()
      #expect(try execution.receive(Messages.reply(reply)).isEmpty)
      let loss = execution.receive(OutputLoss(request: .none, limit: 1000, bytes: 24))
      #expect(loss.count == 1)
      #expect(try execution.receive(Messages.status("idle")).isEmpty)
      #expect(execution.isComplete && execution.lastEvents().isEmpty)
    }
  }

  @Test func `pager output is shown`() throws {
    let reply =
      #"{"status": "ok", "execution_count": 1, "payload": [{"source": "page", "data": {"text/plain": "help"}}]}"#
    #expect(try lines([Messages.reply(reply)]).last?.contains("\"text\":\"help\"") == true)
  }

  @Test func `content that is not JSON is refused`() throws {
    var execution = Execution()
    let message = try Messages.iopub("stream", "{\"text\": ")
    #expect(throws: (any Error).self) { try execution.receive(message) }
  }

  @Test(arguments: [
    (#"{"status": "ok", "payload": [{"source": "ask_exit", "keepkernel": false}]}"#, true),
    (#"{"status": "ok", "payload": [{"source": "page"}, {"source": "ask_exit"}]}"#, true),
    (#"{"status": "ok", "payload": [{"source": "ask_exit", "keepkernel": true}]}"#, false),
    (#"{"status": "ok", "payload": []}"#, false), (#"{"status": "ok"}"#, false),
  ]) func aKernelThatIsAskedToEndIsKnown(reply: String, isAsked: Bool) throws {
    var execution = Execution()
    _ = try execution.receive(Messages.reply(reply))
    #expect(execution.endsKernel == isAsked)
  }
}
