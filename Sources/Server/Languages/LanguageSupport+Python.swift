extension LanguageSupport {
  /// ipykernel and our own kernel. Output is in order, and the kernel exits by itself.
  static let python = LanguageSupport(
    environmentCode: { pythonEnvironment($0) },
    directoryCode: { "__import__(\"os\").chdir(\(quoted($0)))" },
    lateOutput: .none, endsByItself: true)

  private static func pythonEnvironment(_ variables: Variables) -> EnvironmentCode {
    let key = "_code_interpreter_environment"
    let setting = """
      import os, sys
      saved = sys.__dict__.setdefault("\(key)", {})
      for name in values:
          saved.setdefault(name, os.environ.get(name))
      os.environ.update(values)
      """
    let restoring = """
      import os, sys
      for name, value in sys.__dict__.get("\(key)", {}).items():
          if value is None:
              os.environ.pop(name, None)
          else:
              os.environ[name] = value
      sys.__dict__.pop("\(key)", None)
      """
    // `exec` in a separate namespace: no names appear in the user's.
    let run = "__import__(\"builtins\").exec"
    return EnvironmentCode(
      set: "\(run)(\(quoted(setting)), {\"values\": \(object(variables))})",
      restore: "\(run)(\(quoted(restoring)), {})")
  }
}
