/// Golden files: tests/golden/console/<name>.json → <name>.terminal.txt and <name>.piped.txt.
/// PLUMB_ACCEPT=1 writes them anew and fails; look at the difference before you commit it.
#include "console/texts.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "source_dir.h"

#include "tests/unit/console/typed.h"

namespace plumb::test {
namespace {

using Json = nlohmann::json;

std::string golden(const std::string& name) {
  return std::string(PLUMB_SOURCE_DIR) + "/tests/golden/console/" + name;
}

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Case {
  const char* name;
  std::string (*text)(const Json&, const console::Style&);
};

const std::vector<Case> kCases{
    {"status", console::status_text},
    {"status-empty", console::status_text},
    {"status-calm", console::status_text},
    {"apps", console::apps_text},
    {"app", console::app_text},
    {"why", console::why_text},
    {"diff", console::diff_text},
    {"diff-same", console::diff_text},
    {"jobs", console::jobs_text},
    {"history", console::history_text},
    {"logs", console::logs_text},
    {"progress", console::progress_text},
    {"wait-healthy", console::wait_text},
    {"wait-failed", console::wait_text},
    {"wait-late", console::wait_text},
    {"audit", console::audit_text},
    {"verified", console::verified_text},
    {"verified-bad", console::verified_text},
    {"clusters", console::clusters_text},
    {"repos", console::repos_text},
    {"version", console::version_text},
    {"affected", console::affected_text},
    {"objects", console::objects_text},
    {"hostile-apps", console::apps_text},
    {"hostile-diff", console::diff_text},
    {"hostile-audit", console::audit_text},
    {"hostile-logs", console::logs_text},
    {"hostile-objects", console::objects_text},
};

TEST_CASE("answers look as their golden files", "[console][golden]") {
  for (const Case& one : kCases) {
    const Json answer = Json::parse(read(golden(std::string(one.name) + ".json")));
    for (const bool terminal : {true, false}) {
      const std::string file =
          golden(std::string(one.name) + (terminal ? ".terminal.txt" : ".piped.txt"));
      const std::string text = one.text(answer, {terminal, false});
      const std::string expected = read(file);
      INFO(file);
      if (text != expected && std::getenv("PLUMB_ACCEPT") != nullptr)
        std::ofstream(file, std::ios::binary) << text;
      CHECK(text == expected);
    }
  }
}

TEST_CASE("nothing that the server says moves a cursor or breaks a row", "[console]") {
  for (const Case& one : kCases) {
    const Json answer = Json::parse(read(golden(std::string(one.name) + ".json")));
    const std::string text = one.text(answer, {}) + console::json_text(answer);
    INFO(one.name);
    CHECK(std::none_of(text.begin(), text.end(), [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
    }));
    for (const char* treacherous : {"\xC2\x9B", "\xE2\x80\xAE", "\xE2\x80\xA8"}) {
      CHECK(text.find(treacherous) == std::string::npos);
    }
  }
}

TEST_CASE("every text takes an answer without any member, or with the wrong types", "[console]") {
  for (const Case& one : kCases) {
    for (const Json& odd : {Json::object(), Json(), Json("text"), Json::array({1})}) {
      CHECK_NOTHROW(one.text(odd, {true, true}));
    }
  }
}

TEST_CASE("colours are there only when they are wanted", "[console]") {
  const Json answer = Json::parse(read(golden("status.json")));
  CHECK(console::status_text(answer, {true, true}).find("\x1b[32mhealthy 396\x1b[0m") !=
        std::string::npos);
  CHECK(console::status_text(answer, {true, false}).find('\x1b') == std::string::npos);
}

TEST_CASE("each command that comes next has its line, with the word that joins it", "[console]") {
  using Lines = std::vector<std::string>;
  CHECK(console::command_lines("plumb diff a/b   then  plumb sync a/b --plan 3b9f") ==
        Lines{"plumb diff a/b", "then  plumb sync a/b --plan 3b9f"});
  CHECK(console::command_lines("plumb logs a/b") == Lines{"plumb logs a/b"});
  CHECK(console::command_lines("").empty());
}

TEST_CASE("spans of time read as people say them", "[console]") {
  CHECK(console::span_text(0) == "0.0 s");
  CHECK(console::span_text(1849) == "1.8 s");
  CHECK(console::span_text(61'000) == "61 s");
  CHECK(console::span_text(3'600'000) == "60 min");
  CHECK(console::span_text(86'400'000) == "24 h");
  CHECK(console::span_text(10 * 86'400'000LL) == "10 d");
  CHECK(console::span_text(-5) == "0.0 s");
}

}  // namespace
}  // namespace plumb::test
