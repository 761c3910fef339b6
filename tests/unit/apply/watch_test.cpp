/// Health by watch when the stream breaks, lies or ends.
#include "tests/unit/apply/kube_server.h"

using namespace plumb;
using namespace plumb::test;
using namespace std::chrono_literals;

namespace {

using Answer = FaultServer::Answer;

const ObjectKey kPod{"v1", "Pod", "shop", "web"};

std::string pod(const std::string& version, bool ready) {
  Json object{{"apiVersion", "v1"},
              {"kind", "Pod"},
              {"metadata", {{"name", "web"}, {"resourceVersion", version}}}};
  if (ready) object["status"] = {{"phase", "Succeeded"}};
  return object.dump();
}

Answer list(const std::string& version, bool ready) {
  return {FaultServer::http("200 OK", R"({"metadata":{"resourceVersion":")" + version +
                                          R"("},"items":[)" + pod(version, ready) + "]}")};
}

Answer stream(const std::string& lines, bool hang = false) {
  return {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + lines, hang, false};
}

std::string event(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}\n";
}

/// Answers lists and watches in the order they are given; the last of each stays.
struct Watched {
  std::vector<Answer> lists;
  std::vector<Answer> watches;
  std::size_t listed = 0;  // of the server's thread; read after the run
  std::size_t watched = 0;
  std::vector<std::string> states{};

  Result<> run(std::chrono::milliseconds time = 30s, std::stop_token stop = {}) {
    FaultServer server([this](const std::string& request) {
      if (const auto known = discovery(request)) return *known;
      if (request.find("watch=true") != std::string::npos)
        return watches[std::min(watched++, watches.size() - 1)];
      return lists[std::min(listed++, lists.size() - 1)];
    });
    const auto cluster = cluster_of(server);
    const auto result = cluster->watch({kPod}, std::chrono::steady_clock::now() + time, stop,
                                       [&](const ObjectKey&, const std::string& state) {
                                         states.push_back(state);
                                         return state.find("Succeeded") != std::string::npos;
                                       });
    requests = server.requests();
    return result;
  }
  std::vector<std::string> requests{};
};

}  // namespace

TEST_CASE("an object that is well already costs one list and no watch", "[watch]") {
  Watched watched{{list("1", true)}, {stream("")}};
  must(watched.run());
  CHECK(watched.states.size() == 1);
  CHECK(watched.watched == 0);
}

TEST_CASE("a change on the stream is reported, and the list names where it begins", "[watch]") {
  Watched watched{{list("41", false)}, {stream(event("MODIFIED", pod("42", true)), true)}};
  must(watched.run());
  CHECK(watched.states.size() == 2);
  CHECK(watched.requests.back().find("resourceVersion=41") != std::string::npos);
  CHECK(watched.requests.back().find("fieldSelector=metadata.name%3Dweb") != std::string::npos);
}

TEST_CASE("a stream that drops is opened again where it broke, without another list", "[watch]") {
  Watched watched{{list("41", false)},
                  {stream(event("MODIFIED", pod("43", false))), stream(""),
                   stream(event("BOOKMARK", pod("50", false)) + R"({"type":"MODI)"),
                   stream(event("MODIFIED", pod("51", true)), true)}};
  must(watched.run());
  CHECK(watched.listed == 1);
  CHECK(watched.watched == 4);
  CHECK(watched.requests.back().find("resourceVersion=50") != std::string::npos);
}

TEST_CASE("410 Gone on the stream begins anew with a list", "[watch]") {
  Answer gone;
  SECTION("as an event") {
    gone = stream(event("ERROR", R"({"kind":"Status","code":410,"reason":"Expired"})"), true);
  }
  SECTION("as the answer") {
    gone = {FaultServer::http("410 Gone", "{}")};
  }
  SECTION("as a line that nobody can read") {
    gone = stream("{\"type\":\n", true);
  }
  Watched watched{{list("41", false), list("99", true)}, {gone}};
  must(watched.run());
  CHECK(watched.listed == 2);
  CHECK(watched.watched == 1);
}

TEST_CASE("an object that is deleted or absent is reported as missing", "[watch]") {
  const Answer empty{
      FaultServer::http("200 OK", R"({"metadata":{"resourceVersion":"4"},"items":[]})")};
  Watched watched{{empty},
                  {stream(event("ADDED", pod("5", false)) + event("DELETED", pod("6", false)) +
                              event("ADDED", pod("7", true)),
                          true)}};
  must(watched.run());
  REQUIRE(watched.states.size() == 4);
  CHECK(watched.states[0].empty());
  CHECK(watched.states[2].empty());
}

TEST_CASE("a list that fails for a while is tried again", "[watch]") {
  Watched watched{
      {Answer{FaultServer::http("503 Service Unavailable", "")}, Answer{}, list("1", true)},
      {stream("")}};
  must(watched.run());
  CHECK(watched.listed == 3);
}

TEST_CASE("a list that is refused ends the watch with the reason", "[watch]") {
  Watched watched{{Answer{FaultServer::http("403 Forbidden",
                                            R"({"kind":"Status","message":"pods is forbidden"})")}},
                  {stream("")}};
  const Error error = must_fail(watched.run());
  CHECK(error.code == Errc::denied);
  CHECK(error.message.find("pods is forbidden") != std::string::npos);
}

TEST_CASE("the deadline ends a silent watch, and an endless failure is an error", "[watch]") {
  SECTION("silent") {
    Watched watched{{list("1", false)}, {stream("", true)}};
    must(watched.run(300ms));
    CHECK(watched.states.size() == 1);
  }
  SECTION("never listed") {
    Watched watched{{Answer{FaultServer::http("503 Service Unavailable", "")}}, {stream("")}};
    CHECK(must_fail(watched.run(300ms)).code == Errc::unavailable);
  }
}

TEST_CASE("a stop ends a silent watch at once", "[watch]") {
  Watched watched{{list("1", false)}, {stream("", true)}};
  std::stop_source stop;
  const std::jthread stopper([&] { stop.request_stop(); });
  const auto before = std::chrono::steady_clock::now();
  must(watched.run(5min, stop.get_token()));
  CHECK(std::chrono::steady_clock::now() - before < 30s);
}
