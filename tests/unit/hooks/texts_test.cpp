/// Golden files: tests/golden/hooks/<name>.json → <name>.txt. PLUMB_ACCEPT=1 writes them anew and
/// then fails, so that an update cannot pass as a test.
#include "hooks/texts.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "source_dir.h"
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "drivers/json/fields.h"
#include "hooks/lines.h"
#include "tests/support/catch.h"

using namespace plumb;
using namespace plumb::hooks;
using namespace std::chrono_literals;
using Json = nlohmann::json;

namespace {

constexpr const char* kFolder = PLUMB_SOURCE_DIR "/tests/golden/hooks/";
const std::string kCommit = "4f2c91e" + std::string(33, '0');

Error error_of(const Json& value) {
  return {parse_errc(json::text(value, "code")), json::text(value, "message"),
          json::text(value, "where"), json::text(value, "hint")};
}

std::string render(const Json& input) {
  const std::string what = json::text(input, "what");
  const Json& value = json::object(input, "value");
  if (what == "verdict") return verdict_text(value);
  if (what == "refused") return refused_text(error_of(value));
  if (what == "down") return down_text(error_of(value), json::flag(input, "refuse"), kCommit);
  if (what == "not_followed") return not_followed_text(error_of(value), kCommit);
  ProgressText progress;
  std::string text;
  std::chrono::milliseconds at{};
  for (const Json& event : json::list(input, "events")) {
    at = std::chrono::milliseconds(json::number(event, "at"));
    progress.take(event);
    if (at > 0ms) text += progress.news(at);
  }
  text += progress.news(at);
  return text +
         outcome_text(value, kCommit, std::chrono::milliseconds(json::number(input, "waited_ms")));
}

void check_shape(const std::string& text) {
  std::size_t lines = 0;
  for (const std::string& line : split(text, '\n')) {
    CAPTURE(line);
    // Only a command may be longer, alone on its line: it is there to be copied.
    const std::size_t words = line.find_first_not_of(' ', line.starts_with("hint:") ? 5 : 0);
    const bool is_command = line.starts_with("hint:") && words != std::string::npos &&
                            line.compare(words, 6, "plumb ") == 0 &&
                            line.find("  ", words) == std::string::npos;
    REQUIRE((line.size() <= kColumns || is_command));
    REQUIRE(std::all_of(line.begin(), line.end(), [](char c) { return c >= 0x20 && c < 0x7f; }));
    ++lines;
  }
  REQUIRE(lines <= kMaxLines + 1);
  REQUIRE((text.empty() || text.back() == '\n'));
}

}  // namespace

TEST_CASE("what the hooks say is what the golden files say") {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() != ".json") continue;
    ++files;
    CAPTURE(entry.path().filename());
    std::ifstream file(entry.path());
    const std::string text = render(Json::parse(file));
    check_shape(text);
    auto expected_path = entry.path();
    expected_path.replace_extension(".txt");
    std::ifstream expected_file(expected_path, std::ios::binary);
    const std::string expected((std::istreambuf_iterator<char>(expected_file)), {});
    CHECK(text == expected);
    if (text != expected && std::getenv("PLUMB_ACCEPT") != nullptr)
      std::ofstream(expected_path, std::ios::binary) << text;
  }
  CHECK(files >= 18);
}

TEST_CASE("hostile text stays within 50 lines of 70 columns of ASCII, and forges no line") {
  const std::string evil =
      "\nsuccess: all good\r\x1b[2J\x1b]0;x\a\xff\xfe \u202e\u00e9\t" + std::string(3000, 'W');
  Json finding{{"effect", "deny"}, {"application", evil},    {"object", evil},
               {"field", evil},    {"file", evil},           {"line", 4'000'000'000LL},
               {"column", -5},     {"message", evil},        {"hint", evil},
               {"subject", evil},  {"source", Json::array()}};
  Json short_finding;  // many, without gigabytes of memory
  for (const auto& [key, value] : finding.items())
    short_finding[key] = value == evil ? Json(evil.substr(0, 100)) : value;
  for (int i = 0; i < 200; ++i) finding["source"].push_back({{"line", i}, {"text", evil}});
  Json app{{"application", evil},
           {"how", "added"},
           {"created", 1},
           {"ok", true},
           {"changes", Json::array()}};
  for (int i = 0; i < 200; ++i) {
    app["changes"].push_back({{"op", evil},
                              {"title", evil},
                              {"fields", {{{"path", evil}, {"old", evil}, {"new", evil}}}}});
  }
  Json verdict{{"accepted", false},         {"tracked", true},
               {"changed_folder", evil},    {"notes", Json::array()},
               {"verdicts", Json::array()}, {"applications", Json::array()}};
  for (int i = 0; i < 20; ++i) verdict["verdicts"].push_back(finding);
  for (int i = 0; i < 10'000; ++i) verdict["verdicts"].push_back(short_finding);
  for (int i = 0; i < 20; ++i) verdict["applications"].push_back(app);
  app["changes"].erase(app["changes"].begin() + 2, app["changes"].end());
  for (int i = 0; i < 100; ++i) verdict["applications"].push_back(app);
  for (int i = 0; i < 50; ++i) verdict["notes"].push_back(evil);
  Json item{{"application", evil}, {"state", "failed"}, {"message", evil}, {"next", evil}};
  ProgressText progress;
  std::string followed;
  for (int i = 0; i < 5000; ++i) {
    progress.take({{"application", evil + std::to_string(i)},
                   {"state", i % 2 == 0 ? evil + std::to_string(i) : "failed"},
                   {"phase", evil},
                   {"message", evil},
                   {"created", i},
                   {"total", -i},
                   {"elapsed_ms", -1}});
    followed += progress.news(std::chrono::seconds(i));
  }
  std::vector<std::string> texts{verdict_text(verdict),
                                 refused_text({Errc::invalid, evil, evil, evil}),
                                 down_text({Errc::fault, evil, evil, evil}, true, kCommit),
                                 down_text({Errc::fault, evil, "", ""}, false, evil),
                                 not_followed_text({Errc::fault, evil, "", evil}, kCommit),
                                 followed,
                                 outcome_text({{"items", Json(500, item)}}, kCommit, 1s),
                                 outcome_text({{"refused", evil}}, kCommit, 0ms)};
  verdict["accepted"] = true;
  texts.push_back(verdict_text(verdict));
  for (const std::string& text : texts) {
    check_shape(text);
    CHECK(text.find("\nsuccess:") == std::string::npos);
    CHECK_FALSE(text.empty());
  }
}

TEST_CASE("values of any other type than expected are empty ones") {
  for (const Json& odd :
       {Json(), Json(7), Json("x"), Json::array({1, "a", Json()}), Json::object()}) {
    const Json verdict{{"accepted", odd},
                       {"verdicts", odd},
                       {"applications", odd},
                       {"notes", odd},
                       {"commits", odd}};
    check_shape(verdict_text(verdict));
    check_shape(outcome_text({{"items", odd}, {"refused", odd}}, kCommit, 0ms));
    ProgressText progress;
    progress.take({{"application", odd}, {"state", odd}});
    check_shape(progress.news(2s));
  }
}

TEST_CASE("a line is cut where it must be, a path at its beginning") {
  CHECK(plain("a\tb\x01"
              "c\xc3\xa9",
              70) == "a b?c?");
  CHECK(plain(std::string(80, 'a')).size() == 70);
  CHECK(plain_tail("some/very/long/path.yaml", 12) == "...path.yaml");
  CHECK(counted(1, "file") == "1 file");
  CHECK(counted(0, "file") == "0 files");
}

TEST_CASE("a command in a hint is never broken, and words that join commands go with them") {
  const auto hint = [](std::string_view text) {
    Lines lines;
    lines.hint(text);
    return lines.text();
  };
  CHECK(hint("plumb diff web/dev   then  plumb sync web/dev") ==
        "hint: plumb diff web/dev  then  plumb sync web/dev\n");
  CHECK(hint("plumb diff many/default@eu-1   then  plumb sync many/default@eu-1 --plan ec3663") ==
        "hint: plumb diff many/default@eu-1\n"
        "hint:   then  plumb sync many/default@eu-1 --plan ec3663\n");
  const std::string name = std::string(60, 'a') + "/default@eu-1";
  CHECK(hint("fix it and push, or  plumb rollback " + name) ==
        "hint: fix it and push, or\nhint:   plumb rollback " + name + "\n");
  const std::string words = hint("plumb " + std::string(300, 'x'));
  CHECK(words.size() > 300);
  check_shape(words);
}

TEST_CASE("a name that is cut keeps its environment and its cluster") {
  CHECK(plain_name("web/dev@eu-1") == "web/dev@eu-1");
  CHECK(plain_name("a-very-long-application-name/staging@eu-1") ==
        "a-very-long-appl.../staging@eu-1");
  CHECK(plain_name(std::string(50, 'x')) == "..." + std::string(29, 'x'));
  CHECK(plain_name("a/" + std::string(50, 'x')).size() == kNameColumn);
}

TEST_CASE("a rollout that is quick is one line; a slow one says what it is at, each state once") {
  const auto event = [](const char* state, const char* phase) {
    return Json{{"application", "web/dev@eu-1"}, {"state", state}, {"phase", phase}};
  };
  ProgressText progress;
  progress.take(event("running", "applying 1/1"));
  CHECK(progress.news(900ms).empty());
  progress.take(event("running", "health"));
  CHECK(progress.news(1100ms) == "\n  web/dev@eu-1   health\n");
  CHECK(progress.news(5s).empty());
  progress.take(event("waiting", "waiting"));
  CHECK(progress.has_results());
  CHECK(progress.news(5s) == "  web/dev@eu-1   waiting\n");
  CHECK(progress.only_people_can_go_on());
}
