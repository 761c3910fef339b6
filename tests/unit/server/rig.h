#pragma once
/// A whole plumbd in this process: a data folder, one bare repository, the real socket.
#include <nlohmann/json.hpp>

#include "drivers/json/fields.h"
#include "drivers/json/json.h"
#include "server/server.h"
#include "tests/support/must.h"
#include "tests/support/temp_repo.h"

namespace plumb::test {

using Json = nlohmann::json;
using Files = std::map<std::string, std::string>;

inline std::string engines_program() {
  if (const char* named = std::getenv("PLUMB_ENGINES")) return named;
  const char* home = std::getenv("HOME");
  return std::string(home == nullptr ? "" : home) + "/.cache/plumbline/bin/plumb-engines";
}

inline std::string config_map(const std::string& name, const std::string& value = "1") {
  return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata: {v: \"" + value +
         "\"}\n";
}

/// One request over the socket. Events are under "events".
inline Json ask(const std::string& socket,
                const std::string& method,
                const Json& params = Json::object()) {
  auto connection = must(local::Connection::connect(socket, std::chrono::seconds(5)));
  must(connection.send('J', json::canonical({{"v", 1}, {"method", method}, {"params", params}})));
  Json events = Json::array();
  for (;;) {
    auto frame = must(connection.receive(std::chrono::seconds(60)));
    REQUIRE(frame);
    Json answer = Json::parse(frame->payload);
    if (answer.contains("event")) {
      events.push_back(answer["event"]);
      continue;
    }
    answer["events"] = std::move(events);
    return answer;
  }
}

class Plumbd {
 public:
  explicit Plumbd(const std::string& kubeconfig = "") {
    config.data_dir = folder_ / "data";
    config.engines = engines_program();
    config.http.listen = "";
    config.clusters = {
        {"eu-1", kubeconfig.empty() ? folder_ / "no.kubeconfig" : kubeconfig, "", {}}};
    config::RepositoryBinding binding;
    binding.name = "shop";
    binding.path = repo.path();
    binding.clusters = {"eu-1"};
    config.repositories = {binding};
  }

  void start() { server = must(server::Server::start(config)); }
  Json ask(const std::string& method, const Json& params = Json::object()) {
    return test::ask(server->socket(), method, params);
  }
  Json result(const std::string& method, const Json& params = Json::object()) {
    Json answer = ask(method, params);
    INFO(answer.dump());
    REQUIRE(answer.contains("result"));
    return answer["result"];
  }
  Json error(const std::string& method, const Json& params = Json::object()) {
    Json answer = ask(method, params);
    INFO(answer.dump());
    REQUIRE(answer.contains("error"));
    return answer["error"];
  }
  /// Commits, moves main, and waits until that is planned.
  std::string push(const Files& files) {
    head_ = repo.commit(files, head_, "change " + std::to_string(++changes_));
    repo.git({"update-ref", "refs/heads/main", head_});
    result("scan");
    planned();
    return head_;
  }
  /// Waits until no event is left to plan.
  void planned() {
    for (int i = 0; i < 300; ++i) {
      bool open = false;
      const Json events = result("events");
      for (const Json& event : events["events"]) open = open || event["state"] == "received";
      if (!open) return;
      static_cast<void>(ask("wait", {{"what", "0000"}, {"timeout_ms", 100}}));
    }
    FAIL("not planned in time");
  }
  Json wait(const std::string& what, int timeout_ms = 60'000) {
    return result("wait", {{"what", what}, {"timeout_ms", timeout_ms}});
  }

  TempRepo repo;
  config::ServerConfig config;
  std::unique_ptr<server::Server> server;
  [[nodiscard]] const TempFolder& folder() const { return folder_; }

 private:
  TempFolder folder_;
  std::string head_;
  int changes_ = 0;
};

}  // namespace plumb::test
