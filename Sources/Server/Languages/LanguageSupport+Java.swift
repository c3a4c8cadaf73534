extension LanguageSupport {
  /// JJava. A Java program cannot change its environment: variables are system properties.
  static let java = LanguageSupport(
    environmentCode: { javaEnvironment($0) }, directoryCode: { _ in nil },
    lateOutput: .beforeNextReply, endsByItself: false)

  /// What the names of properties with the former values begin with; those values begin with `=`, or are empty for none.
  private static let saved = "code_interpreter.saved."

  private static func javaEnvironment(_ variables: Variables) -> EnvironmentCode {
    let names = variables.map { quoted($0.name) }.joined(separator: ", ")
    let values = variables.map { quoted($0.value) }.joined(separator: ", ")
    // In blocks, so that the user's names stay as they are.
    let setting = """
      { String[] names = {\(names)}, values = {\(values)};
        for (int i = 0; i < names.length; i++) {
          String old = System.getProperty(names[i]);
          if (System.getProperty("\(saved)" + names[i]) == null)
            System.setProperty("\(saved)" + names[i], old == null ? "" : "=" + old);
          System.setProperty(names[i], values[i]);
        } }
      """
    let restoring = """
      { for (String key : System.getProperties().stringPropertyNames())
          if (key.startsWith("\(saved)")) {
            String name = key.substring(\(saved.utf8.count)), old = System.getProperty(key);
            if (old.isEmpty()) System.clearProperty(name); else System.setProperty(name, old.substring(1));
            System.clearProperty(key);
          } }
      """
    return EnvironmentCode(set: setting, restore: restoring)
  }
}
