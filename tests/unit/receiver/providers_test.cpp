#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "source_dir.h"
#include <nlohmann/json.hpp>

#include "core/oid.h"
#include "drivers/http/head.h"
#include "drivers/json/json.h"
#include "receiver/providers/provider.h"
#include "tests/support/catch.h"
#include "tests/support/must.h"

using namespace plumb;        // NOLINT: tests
using namespace plumb::test;  // NOLINT: tests
namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

std::string slurp(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Case {
  std::string name;
  config::Provider provider = config::Provider::gitea;
  http::Request request;
  std::string body;
  fs::path expected;
};

std::vector<Case> cases() {
  std::vector<Case> found;
  for (const auto& entry : fs::directory_iterator(PLUMB_SOURCE_DIR "/tests/golden/providers")) {
    Case made;
    made.name = entry.path().filename();
    if (made.name.starts_with("github")) made.provider = config::Provider::github;
    std::string head = "POST / HTTP/1.1\r\n";
    std::istringstream lines(slurp(entry.path() / "headers.txt"));
    for (std::string line; std::getline(lines, line);) head += line + "\r\n";
    made.request = http::parse_head(head + "\r\n").request;
    made.body = slurp(entry.path() / "body.json");
    made.expected = entry.path() / "expected.json";
    found.push_back(std::move(made));
  }
  return found;
}

Json shown(const receiver::Delivery& delivery) {
  Json refs = Json::array();
  for (const auto& ref : delivery.refs) {
    refs.push_back({{"ref", ref.ref}, {"old", ref.old_oid}, {"new", ref.new_oid}});
  }
  return {{"event", delivery.event},
          {"sender_id", delivery.sender_id},
          {"repositories", delivery.repositories},
          {"refs", refs},
          {"actor", {{"id", delivery.actor.id}, {"name", delivery.actor.name}}},
          {"ignored", delivery.ignored},
          {"unreadable", delivery.unreadable}};
}

/// What must hold whatever an authentic sender says. "" or what does not.
std::string wrong_with(const Result<receiver::Delivery>& read) {
  if (!read) return read.error().code == Errc::invalid ? "" : "an error that is not the sender's";
  if (!read->ignored.empty() || !read->unreadable.empty()) return "";
  if (read->refs.empty()) return "neither refs nor a reason";
  for (const auto& ref : read->refs) {
    if (!is_ref_name(ref.ref) || !is_oid(ref.old_oid) || !is_oid(ref.new_oid)) return "a wrong ref";
  }
  return "";
}

/// Every value of a document, at any depth.
void each_value(Json& value, const std::function<void(Json&)>& visit) {
  visit(value);
  for (std::size_t i = 0; i < value.size() && value.is_structured(); ++i) {
    each_value(value.is_array() ? value[i] : *std::next(value.begin(), static_cast<long>(i)),
               visit);
  }
}

}  // namespace

TEST_CASE("each kind of delivery is read as its golden file says", "[receiver]") {
  int count = 0;
  for (const Case& one : cases()) {
    INFO(one.name);
    const auto read = must(receiver::read_delivery(one.provider, one.request, one.body));
    CHECK(shown(read) == Json::parse(slurp(one.expected)));
    CHECK(read.actor.assurance == Assurance::platform);
    ++count;
  }
  CHECK(count == 17);
}

TEST_CASE("any field gone, null or of a wrong type breaks no promise", "[receiver]") {
  const std::vector<Json> wrong{nullptr,
                                7,
                                -1.5,
                                true,
                                "",
                                "x",
                                Json::array(),
                                Json::object(),
                                Json::array({1, "a", nullptr}),
                                std::string(70'000, 'x')};
  int tried = 0;
  for (const Case& one : cases()) {
    const Json whole = Json::parse(one.body);
    Json walked = whole;
    std::size_t values = 0;
    each_value(walked, [&](Json&) { ++values; });
    for (std::size_t i = 0; i < values; ++i) {
      for (const Json& instead : wrong) {
        Json changed = whole;
        std::size_t at = 0;
        Json* target = nullptr;
        each_value(changed, [&](Json& value) { target = at++ == i ? &value : target; });
        *target = instead;
        const std::string body = changed.dump();
        INFO(one.name << ' ' << body.substr(0, 500));
        CHECK(wrong_with(receiver::read_delivery(one.provider, one.request, body)) == "");
        ++tried;
      }
    }
  }
  CHECK(tried > 5000);
}

TEST_CASE("any key of a push taken away breaks no promise", "[receiver]") {
  for (const Case& one : cases()) {
    const Json whole = Json::parse(one.body);
    for (const auto& [key, value] : whole.items()) {
      Json changed = whole;
      changed.erase(key);
      INFO(one.name << " without " << key);
      CHECK(wrong_with(receiver::read_delivery(one.provider, one.request, changed.dump())) == "");
    }
  }
}

TEST_CASE("a login cannot forge a line of a log", "[receiver]") {
  const Json payload =
      Json::parse(R"({"ref":"refs/heads/a","before":")" + std::string(40, 'a') + R"(","after":")" +
                  std::string(40, 'b') + R"(","sender":{"login":"ana\n\u001b[31mroot"}})");
  const http::Request request{"POST", "/", {{"x-gitea-event", "push"}}};
  const auto read = must(receiver::read_gitea(request, payload));
  CHECK(read.actor.id.find('\n') == std::string::npos);
  CHECK(read.actor.id.find('\x1b') == std::string::npos);
}

TEST_CASE("payloads that other projects publish are read too", "[receiver]") {
  // They lie beside the repository where they may be read, and are no part of it.
  const fs::path folder = PLUMB_SOURCE_DIR "/../shared/fixtures/webhooks";
  if (!fs::exists(folder)) return;
  int pushes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string path = entry.path();
    const bool github = path.find("/github/") != std::string::npos;
    if (!entry.is_regular_file() || entry.path().extension() != ".json" ||
        (!github && path.find("/gitea/") == std::string::npos)) {
      continue;
    }
    const Json payload = Json::parse(slurp(path), nullptr, false);
    const bool push = payload.is_object() && payload.contains("after") &&
                      payload.contains("before") && payload.contains("ref");
    const http::Request request{
        "POST", "/", {{github ? "x-github-event" : "x-gitea-event", push ? "push" : "issues"}}};
    const auto read = receiver::read_delivery(
        github ? config::Provider::github : config::Provider::gitea, request, slurp(path));
    INFO(path);
    CHECK(wrong_with(read) == "");
    if (push) CHECK((read && read->refs.size() == 1));
    pushes += push ? 1 : 0;
  }
  CHECK(pushes >= 10);
}
