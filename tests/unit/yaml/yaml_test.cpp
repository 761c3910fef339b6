#include "drivers/yaml/yaml.h"

#include <nlohmann/json.hpp>

#include "drivers/json/json.h"
#include "tests/support/catch.h"
#include "tests/support/must.h"

using namespace plumb;
using plumb::test::must;
using plumb::test::must_fail;

namespace {

/// The only document of a text, as canonical JSON.
std::string read(std::string_view text) {
  const std::vector<yaml::Document> documents = must(yaml::parse_all(text, "a.yaml"));
  REQUIRE(documents.size() == 1);
  return json::canonical(*documents[0].value);
}

Error refused(std::string_view text, const yaml::Limits& limits = {}) {
  const Error error = must_fail(yaml::parse_all(text, "a.yaml", limits));
  CHECK(error.code == Errc::invalid);
  return error;
}

}  // namespace

TEST_CASE("plain scalars mean what the API server's reader makes of them", "[yaml]") {
  const std::vector<std::pair<std::string, std::string>> table{
      {"y Y yes Yes YES on On ON true True TRUE", "true"},
      {"n N no No NO off Off OFF false False FALSE", "false"},
      {"~ null Null NULL", "null"},
      {"0x10 0X10", "16"},
      {"0b11", "3"},
      {"0o17 017", "15"},
      {"1_000 1e3 1.0e3", "1000"},
      {"+1 1.0 1e0 1.", "1"},
      {"-0 0 00", "0"},
      {"09 9.", "9"},
      {".5 0.5 5e-1", "0.5"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"18446744073709551615", "18446744073709551615"},
      {"100000000000000000000", "1e+20"},
      {"tRue", "\"tRue\""},
      {"1:30", "\"1:30\""},
      {"=", "\"=\""},
      {"<<", "\"<<\""},
      {"2026-01-02", "\"2026-01-02\""},
      {"2026-01-02T03:04:05Z", "\"2026-01-02T03:04:05Z\""},
      {"1.2.3", "\"1.2.3\""},
      {"0x", "\"0x\""},
      {"08x", "\"08x\""},
      {"1e", "\"1e\""},
      {"1e999", "\"1e999\""},
      {"yes!", "\"yes!\""},
      {"100m", "\"100m\""},
  };
  for (const auto& [words, value] : table) {
    std::size_t from = 0;
    while (from < words.size()) {
      const std::size_t end = std::min(words.find(' ', from), words.size());
      const std::string word = words.substr(from, end - from);
      from = end + 1;
      INFO(word);
      CHECK(read("a: " + word) == "{\"a\":" + value + "}");
    }
  }
  CHECK(read("a:") == R"({"a":null})");
}

TEST_CASE("quotes, block scalars and !!str keep text a string", "[yaml]") {
  CHECK(read("a: \"yes\"\nb: '1'\nc: !!str 1\nd: !!str null\ne: |\n  no\nf: >-\n  0x1\n") ==
        R"({"a":"yes","b":"1","c":"1","d":"null","e":"no\n","f":"0x1"})");
}

TEST_CASE("a tag that its value does not fit is refused", "[yaml]") {
  CHECK(read("a: !!int \"3\"\nb: !!float 2\nc: !!bool 'yes'") == R"({"a":3,"b":2,"c":true})");
  CHECK(refused("a: !!int x").message == "a value does not fit its tag !!int");
  CHECK(refused("a: !!binary aGk=").message == "the tag !!binary is not supported");
}

TEST_CASE("numbers that JSON does not have are refused", "[yaml]") {
  CHECK(refused("a: .inf").where == "a.yaml:1:4");
  CHECK(refused("a: .nan").message == "\".nan\" is no JSON number");
}

TEST_CASE("keys become strings as in the server", "[yaml]") {
  CHECK(read("y: 1\nno: 2\n1: 3\n1.50: 4\n1e7: 5\n0x10: 6\n\"z\": 7") ==
        R"({"1":3,"1.5":4,"16":6,"1e+07":5,"false":2,"true":1,"z":7})");
  CHECK(refused("null: 1").message == "a key is null");
  CHECK(refused("~: 1").hint == "write the key in quotes");
  CHECK(refused("? [a]\n: 1").message == "a key is a mapping or a list");
}

TEST_CASE("a key twice in one mapping is refused where the second one stands", "[yaml]") {
  const Error error = refused("spec:\n  replicas: 1\n  paused: no\n  replicas: 2\n");
  CHECK(error.where == "a.yaml:4:3");
  CHECK(error.message == "key \"replicas\" twice in one mapping");
  CHECK(refused("\"1\": a\n1: b").where == "a.yaml:2:1");
  CHECK(refused("{\"a\": 1, \"a\": 2}").where == "a.yaml:1:10");
}

TEST_CASE("tabs in the indentation are refused with a hint", "[yaml]") {
  for (const auto& [text, where] :
       std::vector<std::pair<std::string, std::string>>{{"a:\n\tb: 1", "a.yaml:2:2"},
                                                        {"a:\n- b\n-\tc", "a.yaml:3:3"},
                                                        {"a: 1\n\tb: 2", "a.yaml:2:1"},
                                                        {"spec:\n  a: 1\n  \tb: 2\n", "a.yaml:3:3"},
                                                        {"a:\r\n\tb: 1\r\n", "a.yaml:2:2"}}) {
    INFO(text);
    const Error error = refused(text);
    CHECK(error.message == "a tab in the indentation");
    CHECK(error.hint == "YAML wants spaces");
    CHECK(error.where.substr(0, 8) == where.substr(0, 8));
  }
  CHECK(refused("a:\n \t b: 1").message == "a tab in the indentation");
  CHECK(read("a:\t \t 1") == R"({"a":1})");
  CHECK(read("{\n\t\"a\": [\n\t\t1]\n}") == R"({"a":[1]})");
}

TEST_CASE("anchors are expanded and merge keys lose against written ones", "[yaml]") {
  CHECK(read("a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}\nc: *x\n") ==
        R"({"a":{"k":1,"l":2},"b":{"k":3,"l":2},"c":{"k":1,"l":2}})");
  CHECK(
      read("a: &x {k: 1}\nb: &y {k: 2, m: 3}\nc: {<<: [*x, *y]}\n").find(R"("c":{"k":1,"m":3})") !=
      std::string::npos);
  CHECK(read("x: &a name\n*a : z").find("\"name\":\"z\"") != std::string::npos);
  CHECK(refused("a: {<<: 1}").message == "\"<<\" wants a mapping or a list of mappings");
  CHECK(refused("a: *b").message.find("anchor") != std::string::npos);
  CHECK(refused("a: &a [*a]").message == "an alias stands inside what it names");
}

TEST_CASE("aliases cannot grow a small file without bound", "[yaml]") {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string above = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + above;
    for (int j = 1; j < 10; ++j) bomb += ", " + above;
    bomb += "]\n";
  }
  CHECK(refused(bomb).message == "more than 500000 nodes, aliases counted");

  std::string wide = "a: &a " + std::string(100'000, 'x') + "\nb:\n";
  for (int i = 0; i < 1000; ++i) wide += "- *a\n";
  CHECK(refused(wide).message == "aliases make the file too large");

  std::string deep = "a0: &a0 [x]\n";
  for (int i = 1; i < 100; ++i) {
    deep += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) +
            "]\n";
  }
  CHECK(refused(deep).message == "nested deeper than 64 levels");
}

TEST_CASE("size, depth and number of nodes have limits", "[yaml]") {
  yaml::Limits limits;
  limits.max_bytes = 4;
  CHECK(refused("a: 12", limits).message == "file of 5 bytes, more than 4");
  limits = {};
  limits.max_nodes = 3;
  CHECK(refused("[1, 2, 3]", limits).message == "more than 3 nodes, aliases counted");
  CHECK(refused(std::string(65, '[') + std::string(65, ']')).message ==
        "nested deeper than 64 levels");
  CHECK_FALSE(refused(std::string(100'000, '[')).message.empty());
  std::string block;
  for (int i = 0; i < 70; ++i) block += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  CHECK(refused(block).message == "nested deeper than 64 levels");
}

TEST_CASE("bytes that are no text are refused before they are parsed", "[yaml]") {
  CHECK(refused(std::string("a: 1\nb: \x00 c", 11)).message ==
        "not text: byte 0 is a control character");
  CHECK(refused(std::string("a: 1\nb: \x00 c", 11)).where == "a.yaml:2:4");
  CHECK(refused("\x7f"
                "ELF\x02\x01")
            .where == "a.yaml:1:1");
  CHECK(refused("a: \xff\xfe").message == "not text: bytes are not UTF-8");
  CHECK(refused("a: 1\x04\nb: [").message == "not text: byte 4 is a control character");
}

TEST_CASE("what is not YAML is refused with its place", "[yaml]") {
  CHECK(refused("a: b: c").where == "a.yaml:1:5");
  CHECK(refused("a: [1").where.rfind("a.yaml:", 0) == 0);
  CHECK(refused("x: 1\n- a\n").where == "a.yaml:2:1");
  CHECK(refused("a: @x").message.rfind("not valid YAML: ", 0) == 0);
  CHECK(refused("a: \"x").message.rfind("not valid YAML: ", 0) == 0);
}

TEST_CASE("several documents keep their lines, empty ones are left out", "[yaml]") {
  const auto documents =
      must(yaml::parse_all("a: 1\n---\n---\n# nothing\n---\nb: 2\n...\n", "a.yaml"));
  REQUIRE(documents.size() == 2);
  CHECK(json::canonical(*documents[1].value) == R"({"b":2})");
  CHECK(documents[1].marks.at("/b").line == 6);
  CHECK(documents[0].line == 1);
  CHECK(must(yaml::parse_all("", "a.yaml")).empty());
  CHECK(must(yaml::parse_all("# only a comment\n", "a.yaml")).empty());
}

TEST_CASE("every node knows where its key and its value stand", "[yaml]") {
  const auto documents = must(yaml::parse_all(
      "spec:\n  containers:\n  - name: web\n    image: nginx\n  - name: b\n  a/b:\n    ~x: 1\n",
      "a.yaml"));
  const yaml::Marks& marks = documents[0].marks;
  const auto image = marks.at("/spec/containers/0/image");
  CHECK(image.key_line == 4);
  CHECK(image.key_column == 5);
  CHECK(image.line == 4);
  CHECK(image.column == 12);
  CHECK(marks.at("/spec/containers/1").line == 5);
  CHECK(marks.at("/spec/containers").key_line == 2);
  CHECK(marks.at("/spec/a~1b/~0x").key_line == 7);
  CHECK(marks.at("").line == 1);
}

TEST_CASE("the mark of an unknown node is that of its nearest parent", "[yaml]") {
  const auto documents = must(yaml::parse_all("a: &x {k: 1}\nb:\n  c: *x\n", "a.yaml"));
  CHECK(documents[0].marks.at("/b/c/k").line == 3);
  CHECK(documents[0].marks.at("/b/nope/deeper").key_line == 2);
  CHECK(documents[0].marks.at("/nope").line == 1);
}

TEST_CASE("JSON is read as YAML, surrogate pairs included", "[yaml]") {
  CHECK(read("{\"a\": \"\\ud83d\\ude00\", \"b\": [1.0, true, null]}") ==
        "{\"a\":\"\xF0\x9F\x98\x80\",\"b\":[1.0,true,null]}");
  CHECK(read("{\"a\":1,\"b\":{\"c\":\"x\\/y\"}}") == R"({"a":1,"b":{"c":"x/y"}})");
}

TEST_CASE("a byte order mark, CRLF and directives are fine", "[yaml]") {
  CHECK(read("\xEF\xBB\xBF"
             "a: 1\r\nb: x\r\n") == R"({"a":1,"b":"x"})");
  CHECK(read("%YAML 1.1\n---\na: 1\n") == R"({"a":1})");
}
