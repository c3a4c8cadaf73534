@testable import Jupyter
@testable import Bytes
import TestLoop
import Testing
@testable import Wire

@testable import Server

/// Text from a client or a kernel takes linear time, wherever it is.
@Suite struct HostileTextTests {
  @Test(arguments: ["code", "context_id", "language", "cwd", "env_vars", "unknown"])
  func `a member of a body`(name: String) {
    expectLinearCost("\(name)") { marks in
      let quoted = JSONString.quote(marks)
      for value in [quoted, Bytes.join(["{", quoted, ":", quoted, "}"])] {
        let body = Bytes.join([Bytes("{\"\(name)\":"), value, ",", quoted, ":1,\"code\":\"\"}"])
        guard let fields = try? RequestFields(body) else { return }
        _ = try? fields.text("cwd")
        guard let wanted = try? ExecuteRequest(fields) else { continue }
        _ = Languages.canonicalName(wanted.language ?? Bytes()).map(Languages(specs: []).spec)
        for language in ["python", "bash", "r", "typescript"] {
          _ = ExecutionEnvironment(wanted.variables, language: language)
        }
      }
    }
  }

  @Test func `types and paths`() {
    expectLinearCost("both") { marks in
      for text in [marks, Bytes.join(["application/", marks, "+json"]), Bytes.join(["a.", marks])] {
        _ = (MediaTypes.isJSON(text), MediaTypes.contentType(of: text))
        _ = try? RequestPath(text, for: .reading).relative()
        _ = FileListing.json(text, [])
      }
    }
  }

  @Test(arguments: [
    "stream", "execute_result", "display_data", "error", "status", "execute_input", "execute_reply", "other",
  ])
  func `a message of a kernel`(type: String) {
    let header = Bytes(#"{"msg_id":"a","msg_type":"\#(type)"}"#)
    let channel: KernelChannelName = type == "execute_reply" ? .shell : .iopub
    expectLinearCost("\(type)") { marks in
      let quoted = JSONString.quote(marks)
      let names = ["name", "text", "ename", "evalue", "status", "execution_state", "execution_count"]
      let bundle = Bytes.join(["{", quoted, ":", quoted, ",\"text/plain\":", quoted, "}"])
      let members =
        names.map { Bytes.join([Bytes("\"\($0)\":"), quoted]) } + [
          Bytes.join(["\"data\":", bundle]), Bytes.join(["\"traceback\":[", quoted, ",", quoted, "]"]),
          Bytes.join(["\"payload\":[{\"source\":", quoted, "}]"]), Bytes.join([quoted, ":", quoted]),
        ]
      let content = Bytes.join(["{", Bytes.join(members, separator: ","), "}"])
      guard
        let message = try? Message(
          KernelFrame(
            channel: channel, header: header, parentHeader: header, metadata: "{}", content: content))
      else { return }
      var execution = Execution()
      for event in (try? execution.receive(message)) ?? [] { _ = NDJSONEncoder.line(event) }
      _ = message.isIdle
    }
  }
}
