import Bytes
import Glibc
import Loop

@testable import Workspace

/// A directory for one test. It contains `root`, and next to it files that must be unreachable.
final class Workplace {
  let path: String
  var name: String { String(path.dropFirst("/tmp/".count)) }
  var root: String { path + "/root" }

  init() {
    var template = Array("/tmp/loop-files-XXXXXX".utf8CString)
    path = String(cString: mkdtemp(&template))
    mkdir(path + "/root", 0o755)
    mkdir(path + "/root2", 0o755)
    write("outside", to: "../secret")
    write("outside", to: "../root2/secret")
  }

  deinit {
    try? Tree(path: "/tmp").remove(name)
  }

  func tree() throws -> Tree { try Tree(path: root) }

  func write(_ text: String, to name: String) {
    guard let file = fopen("\(root)/\(name)", "w") else { return }
    fputs(text, file)
    fclose(file)
  }

  func makeDirectory(_ name: String) { mkdir("\(root)/\(name)", 0o755) }

  func link(_ name: String, to target: String) { symlink(target, "\(root)/\(name)") }

  func read(_ name: String) -> String? { contents("\(root)/\(name)") }

  func exists(_ name: String) -> Bool {
    var status = stat()
    return lstat("\(root)/\(name)", &status) == 0
  }

  func mode(_ name: String) -> mode_t? {
    var status = stat()
    return lstat("\(root)/\(name)", &status) == 0 ? status.st_mode & 0o7777 : nil
  }

  func isLink(_ name: String) -> Bool {
    var status = stat()
    return lstat("\(root)/\(name)", &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
  }

  /// All names in a directory, including hidden ones.
  func names(in name: String = ".") throws -> [String] {
    try Descriptor.openDirectory(path: "\(root)/\(name)").names().map {
      String(decoding: $0.bytes, as: UTF8.self)
    }.sorted()
  }
}

func contents(_ path: String) -> String? {
  guard let file = fopen(path, "r") else { return nil }
  defer { fclose(file) }
  var text: [UInt8] = []
  while case let byte = getc(file), byte != EOF { text.append(UInt8(truncatingIfNeeded: byte)) }
  return String(decoding: text, as: UTF8.self)
}

extension Tree {
  func text(_ path: String) throws -> String {
    String(try openFile(RelativePath(path)).0.read(upTo: 1000, at: 0))
  }

  @discardableResult
  func replace(_ path: String, with text: String) throws -> Bool {
    let replacement = try Replacement(self, RelativePath(path))
    try replacement.file.write([Bytes(text)], at: 0)
    return try replacement.commit()
  }

  func remove(_ path: String) throws { try remove(RelativePath(path)) }
}

extension RelativePath {
  init(_ path: String) throws(UVError) { try self.init(Bytes(path)) }
}
