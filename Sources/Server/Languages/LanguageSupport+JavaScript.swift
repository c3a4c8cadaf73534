extension LanguageSupport {
  /// Deno and kernels on Node. Deno sends a result behind its `idle` in one run of six.
  static let javaScript = LanguageSupport(
    environmentCode: { javaScriptEnvironment($0) },
    directoryCode: { "(globalThis.Deno ?? process).chdir(\(quoted($0)));" },
    hasLateOutput: true, endsByItself: false)

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
