import Testing

@testable import code_interpreter

@Suite struct EnvironmentArgumentsTests {
  private func inserted(_ arguments: String..., environment: [String: String] = [:]) -> [String] {
    EnvironmentArguments.inserted(into: arguments, environment: environment)
  }

  @Test func `without variables the command line is unchanged`() {
    #expect(inserted() == ["serve"])
    #expect(inserted("--port", "1", environment: ["PATH": "/bin"]) == ["serve", "--port", "1"])
    #expect(inserted("serve", "--port", "1") == ["serve", "--port", "1"])
  }

  @Test func `another command is unchanged`() {
    #expect(inserted("help", environment: ["CODE_INTERPRETER_PORT": "1"]) == ["help"])
    #expect(inserted("help", "serve", environment: ["CODE_INTERPRETER_PORT": "1"]) == ["help", "serve"])
  }

  @Test func `a health check takes the address of the server, and no other variable`() {
    let environment = [
      "CODE_INTERPRETER_PORT": "1", "CODE_INTERPRETER_HOST": "::", "CODE_INTERPRETER_GRACE": "2",
    ]
    #expect(
      inserted("health", "--port", "3", environment: environment) == [
        "health", "--host=::", "--port=1", "--port", "3",
      ])
  }

  @Test(arguments: [
    ("0.0.0.0", "http://127.0.0.1:8"), ("::", "http://[::1]:8"), ("::1", "http://[::1]:8"),
    ("name", "http://name:8"),
  ])
  func `a server that listens everywhere is asked on this machine`(host: String, url: String) {
    #expect(HealthCommand.url(host: host, port: 8) == url)
  }

  @Test func `options of the command line come last and override`() {
    #expect(
      inserted("--port", "2", environment: ["CODE_INTERPRETER_PORT": "1"]) == [
        "serve", "--port=1", "--port", "2",
      ])
  }

  @Test func `every option has a variable`() throws {
    let names = ServeCommand.options.map(\.name)
    #expect(names.contains("max-body-memory") && names.contains("no-fork-server") && names.count > 20)
    for option in ServeCommand.options where !["help", "version", "token"].contains(option.name) {
      let variable = EnvironmentArguments.name(of: option.name)
      #expect(inserted(environment: [variable: "1"]).count == 2, "\(variable)")
    }
  }

  @Test(arguments: [("1", true), ("true", true), ("YES", true), ("0", false), ("false", false), ("", false)])
  func `a flag has a truth value`(value: String, isSet: Bool) {
    let arguments = inserted(environment: ["CODE_INTERPRETER_NO_FORK_SERVER": value])
    #expect(arguments == (isSet ? ["serve", "--no-fork-server"] : ["serve"]))
  }

  @Test(arguments: [("1", "--network"), ("false", "--no-network"), ("OFF", "--no-network")])
  func `a flag that is on by default can be turned off`(value: String, option: String) {
    #expect(inserted(environment: ["CODE_INTERPRETER_NETWORK": value]) == ["serve", option])
  }

  @Test func `the flag that turns it off has a variable, too`() {
    #expect(inserted(environment: ["CODE_INTERPRETER_NO_NETWORK": "true"]) == ["serve", "--no-network"])
    #expect(inserted(environment: ["CODE_INTERPRETER_NETWORK": "perhaps"]) == ["serve"])
  }

  @Test func `repeatable options are split at line breaks, and names also at commas`() {
    #expect(
      inserted(environment: ["CODE_INTERPRETER_KERNEL_ENV": "A=1,2\nB=-3"]) == [
        "serve", "--kernel-env=A=1,2", "--kernel-env=B=-3",
      ])
    #expect(
      inserted(environment: ["CODE_INTERPRETER_ALLOWED_HOST": "a.example, *.b.example\n c.example,"]) == [
        "serve", "--allowed-host=a.example", "--allowed-host=*.b.example", "--allowed-host=c.example",
      ])
  }

  @Test func `the token does not become an argument`() {
    #expect(inserted(environment: ["CODE_INTERPRETER_TOKEN": "secret"]) == ["serve"])
  }

  @Test func `an empty variable counts as unset, except for the modules to preload and the token's file`() {
    #expect(inserted(environment: ["CODE_INTERPRETER_HOST": ""]) == ["serve"])
    #expect(inserted(environment: ["CODE_INTERPRETER_PRELOAD": ""]) == ["serve", "--preload", ""])
    #expect(inserted(environment: ["CODE_INTERPRETER_TOKEN_FILE": ""]) == ["serve", "--token-file", ""])
  }
}
