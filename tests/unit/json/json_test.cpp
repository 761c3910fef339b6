#include "drivers/json/json.h"

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/must.h"

using namespace plumb;
using plumb::test::must;
using plumb::test::must_fail;

namespace {

std::string nested(int levels) {
  return std::string(static_cast<std::size_t>(levels), '[') +
         std::string(static_cast<std::size_t>(levels), ']');
}

}  // namespace

TEST_CASE("the same value gives the same bytes, whatever the order of its keys", "[json]") {
  const auto one = must(json::parse(R"({ "b": [1, 2.5, "x"], "a": {"d": null, "c": true} })"));
  const auto two = must(json::parse(R"({"a":{"c":true,"d":null},"b":[1,2.5,"x"]})"));
  CHECK(json::canonical(one) == R"({"a":{"c":true,"d":null},"b":[1,2.5,"x"]})");
  CHECK(json::canonical(one) == json::canonical(two));
}

TEST_CASE("a key twice in one object is refused, in two objects it is fine", "[json]") {
  const Error error = must_fail(json::parse(R"({"a": {"k": 1, "k": 2}})"));
  CHECK(error.code == Errc::invalid);
  CHECK(error.message == "key \"k\" twice in one object");
  CHECK(must(json::parse(R"({"a": {"k": 1}, "b": {"k": 2}})"))["b"]["k"] == 2);
}

TEST_CASE("duplicate keys can be let through, and the last one wins", "[json]") {
  json::Limits limits;
  limits.refuse_duplicate_keys = false;
  CHECK(must(json::parse(R"({"k": {"x": 1}, "k": 2})", limits))["k"] == 2);
}

TEST_CASE("depth and size have limits", "[json]") {
  CHECK(must(json::parse(nested(64))).is_array());
  CHECK(must_fail(json::parse(nested(65))).message == "nested deeper than 64 levels");
  CHECK(must_fail(json::parse(std::string(1'000'000, '['))).message ==
        "nested deeper than 64 levels");
  json::Limits limits;
  limits.max_bytes = 4;
  CHECK(must(json::parse("1234", limits)) == 1234);
  CHECK(must_fail(json::parse("12345", limits)).message == "JSON of 5 bytes, more than 4");
}

TEST_CASE("what is not JSON is refused with its position and without its text", "[json]") {
  const std::vector<std::string> bad{
      "",        "{",        "{\"a\":}",        "[1,]",  "nul",        "{} {}", "'a'", "\"\xff\"",
      "[1e999]", "\"a\nb\"", "{\"a\":hunter2}", "{a:1}", "\"\\ud800\""};
  for (const std::string& text : bad) {
    INFO(text);
    const Error error = must_fail(json::parse(text));
    CHECK(error.code == Errc::invalid);
    CHECK(error.message.rfind("not JSON at byte ", 0) == 0);
    CHECK(error.message.find("hunter2") == std::string::npos);
  }
}

TEST_CASE("long numbers and escapes keep their value", "[json]") {
  const auto value =
      must(json::parse(R"([9223372036854775807, 18446744073709551615, "\ud83d\ude00"])"));
  CHECK(json::canonical(value) ==
        "[9223372036854775807,18446744073709551615,\"\xF0\x9F\x98\x80\"]");
}

TEST_CASE("bytes that are not UTF-8 never leave in JSON", "[json]") {
  CHECK(json::canonical(nlohmann::json("a\xff")) == "\"a\xEF\xBF\xBD\"");
}
