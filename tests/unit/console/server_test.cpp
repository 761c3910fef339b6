#include "console/exit_code.h"
#include "tests/unit/console/typed.h"

namespace plumb::test {
namespace {

using Catch::Contains;
using Json = nlohmann::json;

Json result(Json value) {
  return {{"result", std::move(value)}};
}
Json error(const char* code, const char* message) {
  return {{"error", {{"code", code}, {"message", message}, {"where", ""}, {"hint", "plumb apps"}}}};
}
Json item(const char* state) {
  return {{"application", "web/dev@eu-1"},
          {"state", state},
          {"phase", "health"},
          {"done", 1},
          {"total", 3},
          {"elapsed_ms", 1800},
          {"message", ""},
          {"next", "plumb logs web/dev@eu-1"}};
}

TEST_CASE("the server's errors become exit codes", "[console]") {
  const auto exit_of = [](const char* code, const char* message) {
    ScriptedServer server({{"why", {error(code, message)}}});
    const Said said = type({"why", "web"}, server.socket());
    CHECK_THAT(said.err, Contains("hint: plumb apps"));
    return said.exit;
  };
  CHECK(exit_of("invalid", "bad") == 2);
  CHECK(exit_of("invalid", "unknown application \"web\"") == 3);
  CHECK(exit_of("not_found", "nothing called web") == 3);
  CHECK(exit_of("denied", "you may not") == 4);
  CHECK(exit_of("unavailable", "busy") == 5);
  CHECK(exit_of("conflict", "the plan is another now") == 7);
  CHECK(exit_of("fault", "disk") == 70);
}

TEST_CASE("a server that hangs up or talks nonsense is an error, not a crash", "[console]") {
  ScriptedServer silent({});
  CHECK(type({"status"}, silent.socket()).exit == 5);
  ScriptedServer nonsense({{"status", {Json::array({1, 2})}}});
  CHECK(type({"status"}, nonsense.socket()).exit == 70);
  ScriptedServer odd({{"status", {result("text")}}, {"diff", {result({{"changes", 7}})}}});
  CHECK(type({"status"}, odd.socket()).exit == 0);
  CHECK(type({"diff", "web"}, odd.socket()).exit == 0);
}

TEST_CASE("diff is 1 when something differs and 0 when nothing does", "[console]") {
  const Json change{{"op", "~"}, {"title", "Deployment shop/web"}, {"fields", Json::array()}};
  ScriptedServer differs({{"diff", {result({{"application", "web"}, {"changes", {change}}})}}});
  CHECK(type({"diff", "web"}, differs.socket()).exit == 1);
  ScriptedServer same({{"diff", {result({{"application", "web"}, {"changes", Json::array()}})}}});
  CHECK(type({"diff", "web"}, same.socket()).exit == 0);
}

TEST_CASE("wait streams progress to standard error and ends with what came of it", "[console]") {
  const auto wait = [](const char* state, bool done, bool ok) {
    ScriptedServer server({{"wait",
                            {{{"event", item("running")}},
                             result({{"done", done}, {"ok", ok}, {"items", {item(state)}}})}}});
    const Said said = type({"wait", "web/dev", "--timeout", "5s"}, server.socket());
    CHECK_THAT(said.err, Contains("web/dev@eu-1   health 1/3   1.8 s"));
    CHECK_THAT(said.out, Contains(std::string("web/dev@eu-1\t") + state));
    CHECK(server.requests().front()["params"]["timeout_ms"].get<int>() <= 5000);
    return said.exit;
  };
  CHECK(wait("healthy", true, true) == 0);
  CHECK(wait("failed", true, false) == 1);
  CHECK(wait("waiting", true, false) == 1);
  CHECK(wait("superseded", true, true) == 7);
  CHECK(wait("running", false, false) == 6);
}

TEST_CASE("wait for a commit without jobs says why there are none", "[console]") {
  const auto wait = [](const Json& events) {
    ScriptedServer server(
        {{"wait", {result({{"done", true}, {"ok", true}, {"items", Json::array()}})}},
         {"events", {result({{"events", events}})}}});
    return type({"wait", "4f2c91e"}, server.socket(), "/", true);
  };
  const auto event = [](const char* state, const char* note) {
    return Json::array({{{"state", state},
                         {"note", note},
                         {"refs", {{{"ref", "refs/heads/main"}, {"new", "4f2c91e000"}}}}}});
  };
  CHECK(wait(Json::array()).exit == 3);
  CHECK(wait(event("planned", "0 applications")).exit == 0);
  const Said refused = wait(event("planned", "refused: a.yaml:3: no such key"));
  CHECK(refused.exit == 1);
  CHECK_THAT(refused.out, Contains("4f2c91e: refused: a.yaml:3"));
}

TEST_CASE("wait is 6 when the server was still planning at the end", "[console]") {
  ScriptedServer server(
      {{"wait", {result({{"done", false}, {"ok", false}, {"items", Json::array()}})}}});
  const Said said = type({"wait", "4f2c91e"}, server.socket(), "/", true);
  CHECK(said.exit == 6);
  CHECK(said.out == "time is over\n");
}

TEST_CASE("wait gives up on a commit that stays unplanned when time is over", "[console]") {
  const Json event{{"state", "received"},
                   {"note", ""},
                   {"refs", {{{"ref", "refs/heads/main"}, {"new", "4f2c91e000"}}}}};
  ScriptedServer server(
      {{"wait", {result({{"done", true}, {"ok", true}, {"items", Json::array()}})}},
       {"events", {result({{"events", {event}}})}}});
  CHECK(type({"wait", "4f2c91e", "--timeout", "300ms"}, server.socket()).exit == 6);
  CHECK(server.requests().size() >= 4);
}

TEST_CASE("sync sends what was typed and prints the job", "[console]") {
  ScriptedServer server({{"sync",
                          {result({{"job", 12},
                                   {"application", "web/prod@eu-1"},
                                   {"commit", "4f2c91e00"},
                                   {"plan", "3b9f"}})}}});
  const Said said =
      type({"sync", "web/prod", "--plan", "3b9f0c2e", "--reason", "INC-1"}, server.socket());
  CHECK(said.exit == 0);
  CHECK(said.out == "12\n");
  const Json params = server.requests().front()["params"];
  CHECK(params == Json{{"application", "web/prod"},
                       {"confirm_plan", "3b9f0c2e"},
                       {"reapply", false},
                       {"reason", "INC-1"}});
}

TEST_CASE("an application may be called like a verb", "[console]") {
  ScriptedServer server(
      {{"why", {result({{"sentence", "status/prod@eu-1 is healthy"}, {"next", ""}})}}});
  CHECK(type({"why", "status"}, server.socket()).exit == 0);
  CHECK(server.requests().front()["params"]["application"] == "status");
}

TEST_CASE("audit list completes the application's name and counts --since back from now",
          "[console]") {
  ScriptedServer server({{"app", {result({{"application", {{"application", "web/prod@eu-1"}}}})}},
                         {"audit_list", {result({{"rows", Json::array()}})}}});
  CHECK(type({"audit", "list", "--app", "web/prod", "--since", "7d"}, server.socket()).exit == 0);
  const Json params = server.requests().back()["params"];
  CHECK(params["application"] == "web/prod@eu-1");
  CHECK(params["since"] == kNow - 7LL * 86'400'000);
}

TEST_CASE("audit verify is 1 when the chain does not hold, and sends the kept head", "[console]") {
  ScriptedServer server({{"audit_verify",
                          {result({{"ok", false},
                                   {"problem", "leaf 3 was changed"},
                                   {"leaves", 9},
                                   {"bad_sequence", 3}})}}});
  const std::string head(64, 'a');
  const Said said = type({"audit", "verify", "--head", "9:" + head}, server.socket());
  CHECK(said.exit == 1);
  CHECK(server.requests().front()["params"] == Json{{"sequence", 9}, {"head", head}});
}

TEST_CASE("-o json stands before or after the verb and prints one document", "[console]") {
  ScriptedServer server({{"clusters", {result({{"clusters", Json::array()}})}}});
  for (const auto& words :
       {std::vector<std::string>{"-o", "json", "cluster"}, {"cluster", "list", "-o", "json"}}) {
    const Said said = type(words, server.socket());
    CHECK(said.exit == 0);
    CHECK(Json::parse(said.out) ==
          Json{{"apiVersion", "plumbline.dev/v1"}, {"clusters", Json::array()}});
  }
}

TEST_CASE("version says its own when the server is away", "[console]") {
  const Said said = type({"version"});
  CHECK(said.exit == 5);
  CHECK_THAT(said.out, Contains("plumb ") && Contains("plumbd not reached"));
}

TEST_CASE("hooks install asks the server and refuses a repository that it does not know",
          "[console]") {
  ScriptedServer server({{"repos", {result({{"repositories", Json::array()}})}}});
  const Said said = type({"hooks", "install", "shop.git"}, server.socket());
  CHECK(said.exit == 3);
  CHECK_THAT(said.err, Contains("unknown repository '/shop.git'") && Contains("spec.repositories"));
}

}  // namespace
}  // namespace plumb::test
