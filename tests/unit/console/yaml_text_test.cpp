#include "console/yaml_text.h"

#include "drivers/yaml/yaml.h"
#include "tests/unit/console/typed.h"

namespace plumb::test {
namespace {

using Json = nlohmann::json;

TEST_CASE("YAML that is written reads back to the same value", "[console]") {
  const std::vector<std::string> texts{
      "",      "a",    "true",   "No",    "null",      "12",         "1.5e3",   "0x1f",     "a: b",
      "a #b",  "a:",   "- a",    " a",    "a ",        "*a",         "&a",      "!a",       "{a}",
      "[a]",   "a\nb", "a\nb\n", "a\n\n", "\n",        " a\nb",      "a \nb\n", "\ta\n",    "a\tb",
      "\"q\"", "it's", "10:20",  "~",     "a, b",      "é",          "%a",      "@a",       "`a",
      "|",     "---",  "...",    "/path", "a\n---\nb", "2001-01-01", "y",       "x\n  y\n", "a\\b",
      "=",     "<<",   ".inf",   "1_000"};
  Json all = Json::array();
  Json members = Json::object();
  for (const auto& text : texts) {
    all.push_back(text);
    members["k" + text] = text;
    members["list " + text] = {text, {{"in", text}}, Json::array({text})};
  }
  const Json value{{"all", all},
                   {"members", members},
                   {"empty", Json::object()},
                   {"none", Json::array()},
                   {"deep", {{{"a", 1}, {"b", {1, 2}}}, {{"c", Json::object()}}}},
                   {"n", -3},
                   {"f", 0.5},
                   {"t", true},
                   {"z", nullptr}};
  const std::string text = console::yaml_text(value);
  INFO(text);
  const auto documents = must(yaml::parse_all(text, "t.yaml"));
  REQUIRE(documents.size() == 1);
  CHECK(*documents.front().value == value);
}

TEST_CASE("lines become a block, and what a terminal obeys is escaped", "[console]") {
  CHECK(console::yaml_text({{"a", "x\ny\n"}}) == "a: |\n  x\n  y\n");
  CHECK(console::yaml_text({{"a", "\x1b[2J"}}) == "a: \"\\u001b[2J\"\n");
  CHECK(console::yaml_text({{"a",
                             "\xC2\x9B"
                             "2J"}}) == "a: \"\\u009b2J\"\n");
}

}  // namespace
}  // namespace plumb::test
