import Bytes
import Testing

@testable import Wire

@Suite struct JSONWriterTests {
  private func written(_ body: (inout JSONWriter) -> Void) -> String {
    var json = JSONWriter()
    body(&json)
    return String(json.takeAll())
  }

  @Test func `members and elements are separated by commas`() {
    let text = written { json in
      json.object { json in
        json.key("a")
        json.array { json in
          json.value(1)
          json.array { _ in }
          json.object { _ in }
          json.value(true)
        }
        json.key("b")
        json.object { json in
          json.key("c")
          json.null()
          json.key("d")
          json.value(1.5)
        }
      }
    }
    #expect(text == #"{"a":[1,[],{},true],"b":{"c":null,"d":1.5}}"#)
  }

  @Test func `strings are escaped, contents and JSON are not`() {
    let text = written { json in
      json.array { json in
        json.value("a\"\n" as String)
        json.value(Bytes("\u{1}é"))
        json.value(contents: #"a\"b"#)
        json.value(json: #"{"x":1}"#)
      }
    }
    #expect(text == #"["a\"\n","\u0001é","a\"b",{"x":1}]"#)
  }

  @Test func `foreign keys are escaped`() {
    #expect(written { $0.value(["b\"": "2", "a": "1"]) } == #"{"a":"1","b\"":"2"}"#)
  }

  @Test func `a number that JSON does not have is null`() {
    #expect(
      written { json in
        json.array { json in
          json.value(Double.nan)
          json.value(-Double.infinity)
          json.value(-3)
        }
      } == "[null,null,-3]")
  }

  @Test func `long contents are not copied`() {
    let long = Bytes([UInt8](repeating: 0x61, count: 100_000))
    var json = JSONWriter()
    json.object { json in
      json.key("text")
      json.value(contents: long)
    }
    let pieces = json.takePieces()
    #expect(pieces.map(\.count) == [9, 100_000, 2])
    #expect(Bytes.join(pieces) == Bytes.join([#"{"text":""#, long, #""}"#]))
  }

  @Test func `taken JSON is removed`() {
    var json = JSONWriter()
    json.value(1)
    #expect(json.takeAll() == "1")
    json.value(2)
    #expect(json.takeAll() == "2")
  }
}
