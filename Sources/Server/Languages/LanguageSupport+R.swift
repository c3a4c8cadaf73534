extension LanguageSupport {
  /// IRkernel, which expects its client to end it after `q()`.
  static let r = LanguageSupport(
    environmentCode: { rEnvironment($0) }, directoryCode: { "setwd(\(quoted($0)))" },
    lateOutput: .beforeNextReply, endsByItself: false)

  private static func rEnvironment(_ variables: Variables) -> EnvironmentCode {
    let names = variables.map { quoted($0.name) }.joined(separator: ", ")
    let values = variables.map { quoted($0.value) }.joined(separator: ", ")
    let setting = """
      local({ names <- c(\(names)); saved <- Sys.getenv(names, unset = NA, names = FALSE); names(saved) <- names
        options(code_interpreter_environment = saved)
        do.call(Sys.setenv, as.list(setNames(c(\(values)), names))) })
      """
    let restoring = """
      local({ saved <- getOption("code_interpreter_environment")
        for (name in names(saved)) if (is.na(saved[[name]])) Sys.unsetenv(name)
          else do.call(Sys.setenv, as.list(saved[name]))
        options(code_interpreter_environment = NULL) })
      """
    return EnvironmentCode(set: setting, restore: restoring)
  }
}
