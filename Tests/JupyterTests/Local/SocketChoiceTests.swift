import Bytes
import Testing

@testable import Jupyter

@Suite struct SocketChoiceTests {
  private func choice(_ json: String, script: Bytes? = nil) throws -> SocketChoice {
    try #require(
      LocalKernelSpec(name: "some", json: Bytes(json), resourceDirectory: "/specs/some", script: script)
    )
    .sockets
  }

  @Test(arguments: [
    (#"{"argv": ["python3", "-m", "bash_kernel"], "language": "bash"}"#, SocketChoice.unix),
    (#"{"argv": ["/env/bin/python3.11"], "language": "x"}"#, .unix),
    (#"{"argv": ["/opt/start", "{connection_file}"], "language": "Python"}"#, .unixElsePorts),
    (#"{"argv": ["/usr/bin/env", "A=1", "python3", "-m", "x"], "language": "x"}"#, .unixElsePorts),
    (#"{"argv": ["sh", "-c", "cd /x; exec /env/bin/python -m y \"$1\""], "language": "x"}"#, .unixElsePorts),
    (#"{"argv": ["conda", "run", "ipykernel_launcher"], "language": "x"}"#, .unixElsePorts),
    (#"{"argv": ["/usr/lib/python3/bin/deno", "jupyter"], "language": "typescript"}"#, .ports),
    (#"{"argv": ["R", "--slave"], "language": "R"}"#, .ports),
    (#"{"argv": ["pythonic"], "language": "x"}"#, .ports),
    (#"{"argv": ["python"], "metadata": {"code_interpreter": {"transport": "tcp"}}}"#, .ports),
    (#"{"argv": ["deno"], "metadata": {"code_interpreter": {"transport": "ipc"}}}"#, .unix),
  ]) func `a kernelspec decides between Unix sockets and ports`(json: String, expected: SocketChoice) throws {
    #expect(try choice(json) == expected)
  }

  @Test(arguments: [
    ("#!/env/bin/python3\nimport x", SocketChoice.unixElsePorts),
    ("#!/usr/bin/env python\n", .unixElsePorts),
    ("#!/bin/sh\nexec \"/env/bin/python\" -m bash_kernel \"$@\"\n", .unixElsePorts),
    ("#!/bin/sh\nexec node kernel.js \"$@\"\n", .ports),
  ]) func `a script as the program decides too`(script: String, expected: SocketChoice) throws {
    #expect(try choice(#"{"argv": ["/opt/start"], "language": "x"}"#, script: Bytes(script)) == expected)
  }
}
