import Glibc
import Loop
import Testing

@testable import Workspace

@Suite struct FilesEscapeTests {
  let workplace = Workplace()

  @Test(arguments: [
    "../secret", "a/../../secret", "../root2/secret", "../root/../secret", "..", "a/../..", "./../secret",
    "a/b/../../../secret", "nothing/../../secret", "file/../../secret",
  ])
  func `A path with dots does not leave the root`(path: String) throws {
    workplace.makeDirectory("a")
    workplace.makeDirectory("a/b")
    workplace.write("", to: "file")
    let tree = try workplace.tree()
    #expect(throws: UVError.crossesDevice) { try tree.text(path) }
    #expect(throws: UVError.crossesDevice) { try tree.list(RelativePath(path)) }
    #expect(throws: UVError.crossesDevice) { try tree.replace(path, with: "inside") }
    #expect(throws: UVError.crossesDevice) { try tree.remove(path) }
    #expect(contents(workplace.path + "/secret") == "outside")
  }

  @Test func `An absolute path is refused, also one that points into the root`() throws {
    workplace.write("inside", to: "file")
    #expect(throws: UVError.crossesDevice) { try RelativePath("/etc/passwd") }
    #expect(throws: UVError.crossesDevice) { try RelativePath(workplace.root + "/file") }
    #expect(throws: UVError.crossesDevice) { try RelativePath("//file") }
  }

  @Test func `A name with a NUL byte is refused`() {
    #expect(throws: UVError.invalidArgument) { try RelativePath("file\0.txt") }
    #expect(throws: UVError.invalidArgument) { try RelativePath("\0") }
  }

  @Test func `A sibling whose name begins like the root is outside`() throws {
    workplace.link("sibling", to: workplace.root + "2/secret")
    workplace.link("siblings", to: workplace.root + "2")
    let tree = try workplace.tree()
    #expect(throws: UVError.crossesDevice) { try tree.text("sibling") }
    #expect(throws: UVError.crossesDevice) { try tree.text("siblings/secret") }
  }

  @Test func `Links out of the root are never followed`() throws {
    workplace.makeDirectory("a")
    workplace.write("inside", to: "a/file")
    workplace.link("file", to: "../secret")
    workplace.link("absolute", to: workplace.path + "/secret")
    workplace.link("a/deep", to: "../../secret")
    workplace.link("directory", to: "..")
    workplace.link("new", to: "../new")
    workplace.link("tricky", to: workplace.root + "/../secret")
    workplace.link("second", to: "file")
    workplace.link("around", to: "../root/../secret")
    workplace.link("beside", to: "../root2/secret")
    let tree = try workplace.tree()
    for path in [
      "file", "absolute", "a/deep", "directory/secret", "tricky", "second", "new", "around", "beside",
      "directory/root/a/file",
    ] {
      #expect(throws: UVError.crossesDevice) { try tree.text(path) }
      #expect(throws: UVError.crossesDevice) { try tree.replace(path, with: "inside") }
    }
    #expect(throws: UVError.crossesDevice) { try tree.list(RelativePath("directory")) }
    #expect(throws: UVError.crossesDevice) { try tree.remove("directory/secret") }
    #expect(throws: UVError.crossesDevice) { try tree.replace("directory/made/here", with: "inside") }
    #expect(contents(workplace.path + "/secret") == "outside")
    #expect(contents(workplace.path + "/new") == nil)
    #expect(contents(workplace.path + "/made/here") == nil)
  }

  @Test func `Links that stay inside work, relative and absolute, for every use`() throws {
    workplace.makeDirectory("a")
    workplace.makeDirectory("a/b")
    workplace.write("inside", to: "a/file")
    workplace.link("a/b/relative", to: "../file")
    workplace.link("absolute", to: workplace.root + "/a/file")
    workplace.link("odd", to: workplace.root + "//./a/b/../file")
    workplace.link("directory", to: workplace.root + "/a")
    workplace.link("a/b/top", to: workplace.root)
    workplace.link("chain", to: "directory/b/top/absolute")
    workplace.link("around", to: "../root/a")
    workplace.link("a/b/far", to: "../../../../\(workplace.name)/root/a/file")
    workplace.link("turn", to: workplace.root + "/a/../../root/a/file")
    let tree = try workplace.tree()
    for path in [
      "around/file", "around/b/../file", "a/b/far", "turn", "a/b/relative", "absolute", "odd",
      "directory/file", "a/b/top/a/file", "chain", "directory/b/../file",
      "a/b/top/directory/b/relative", "a/b/../file", "./a//file",
    ] {
      #expect(try tree.text(path) == "inside")
    }
    #expect(try tree.list(RelativePath("a/b/top/directory")).map(\.name) == ["b", "file"])
    #expect(try tree.replace("chain", with: "changed") == false)
    #expect(workplace.read("a/file") == "changed")
    #expect(workplace.isLink("chain") && workplace.isLink("absolute"))
    #expect(try tree.replace("directory/b/new/file", with: "made"))
    #expect(workplace.read("a/b/new/file") == "made")
  }

  @Test func `Absolute links work when the root itself was given through a link`() throws {
    symlink("root", workplace.path + "/alias")
    workplace.write("inside", to: "file")
    workplace.link("given", to: workplace.path + "/alias/file")
    workplace.link("real", to: workplace.root + "/file")
    let tree = try Tree(path: workplace.path + "/alias")
    #expect(try tree.text("given") == "inside")
    #expect(try tree.text("real") == "inside")
  }

  @Test func `A loop of links ends in an error`() throws {
    workplace.link("one", to: "two")
    workplace.link("two", to: "one")
    workplace.link("self", to: workplace.root + "/self/self")
    let tree = try workplace.tree()
    for path in ["one", "one/file", "self", "self/x"] {
      #expect(throws: UVError.tooManyLinks) { try tree.text(path) }
      #expect(throws: UVError.tooManyLinks) { try tree.replace(path, with: "x") }
    }
    try tree.remove("one")
    #expect(!workplace.exists("one") && workplace.exists("two"))
  }

  @Test func `Links of procfs are read as text and lead nowhere`() throws {
    let file = fopen(workplace.path + "/secret", "r")
    defer { if let file { fclose(file) } }
    let number = file.map { fileno($0) } ?? -1
    workplace.link("magic", to: "/proc/self/fd/\(number)")
    let tree = try workplace.tree()
    #expect(throws: UVError.crossesDevice) { try tree.text("magic") }
    let all = try Tree(path: "/")
    #expect(try all.text("proc/self/fd/\(number)") == "outside")
    #expect(throws: UVError.noEntry) { try all.list(RelativePath("proc/self/ns/net")) }
  }

  @Test func `No race of a directory for a link leads out`() throws {
    workplace.makeDirectory("swap")
    workplace.write("inside", to: "swap/secret")
    workplace.link("link", to: "..")
    let tree = try workplace.tree()
    let (swapper, stop) = workplace.swap("swap", with: "link")
    defer {
      stop.pointee = 1
      pthread_join(swapper, nil)
      stop.deallocate()
    }
    for turn in 0..<3000 {
      if let text = try? tree.text("swap/secret") { #expect(text == "inside") }
      if turn % 8 == 0 { _ = try? tree.replace("swap/new\(turn % 16)", with: "inside") }
      if turn % 8 == 4 { try? tree.remove("swap/new\(turn % 16)") }
    }
    #expect(contents(workplace.path + "/secret") == "outside")
    #expect(contents(workplace.path + "/new0") == nil && contents(workplace.path + "/new8") == nil)
  }
}
