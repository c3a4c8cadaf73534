extension LanguageSupport {
  /// Deno, and kernels on Node. Deno sends output from a separate task, in order. Of 2 MB, the end came after `idle`
  /// in 32 of 150 runs, and after the reply to a further request in 2.
  static let javaScript = LanguageSupport(
    environmentCode: { javaScriptEnvironment($0) },
    directoryCode: { "(globalThis.Deno ?? process).chdir(\(quoted($0)));" },
    lateOutput: .before { printing($0) }, endsByItself: false)

  /// Not `console.log`, which user code may replace.
  private static func printing(_ text: String) -> String {
    let text = quoted(text)
    return
      "globalThis.Deno ? Deno[Deno.internal].core.print(\(text)) : process.stdout.write(\(text)); undefined"
  }

  private static func javaScriptEnvironment(_ variables: Variables) -> EnvironmentCode {
    let prelude = """
      const get = (n) => globalThis.Deno ? Deno.env.get(n) : process.env[n];
      const put = (n, v) => { if (globalThis.Deno) v === undefined ? Deno.env.delete(n) : Deno.env.set(n, v);
        else if (v === undefined) delete process.env[n]; else process.env[n] = v; };
      const key = Symbol.for("code-interpreter.environment");
      """
    let setting = """
      (() => { \(prelude) const values = \(object(variables)); const saved = globalThis[key] ??= {};
        for (const n in values) { if (!(n in saved)) saved[n] = get(n); put(n, values[n]); } })();
      """
    let restoring = """
      (() => { \(prelude) const saved = globalThis[key] ?? {};
        for (const n in saved) put(n, saved[n]); delete globalThis[key]; })();
      """
    return EnvironmentCode(set: setting, restore: restoring)
  }
}
