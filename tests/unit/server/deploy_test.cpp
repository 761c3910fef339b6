#include "tests/support/control_plane.h"
#include "tests/unit/server/rig.h"

/// Against a real API server.
namespace plumb::server {
namespace {

using test::config_map;
using test::ControlPlane;
using test::Files;
using test::Json;
using test::Plumbd;

Files shop(const std::string& app, const std::string& value, int maps = 1) {
  Files files{{"apps/other-" + app + "/dev/o.yaml", config_map("o")}};
  for (int i = 0; i < maps; ++i) {
    files["apps/" + app + "/dev/m" + std::to_string(i) + ".yaml"] =
        config_map("m" + std::to_string(i), value);
  }
  return files;
}

std::string value_of(const std::string& ns, const std::string& name) {
  return ControlPlane::shared().kubectl(
      {"get", "configmap", name, "-n", ns, "-o", "jsonpath={.data.v}", "--ignore-not-found"});
}

struct Deploying : Plumbd {
  Deploying() : Plumbd(ControlPlane::shared().kubeconfig()) { start(); }
};

TEST_CASE(
    "a push becomes objects, a change reaches one of them, and a rollback takes it back and "
    "holds") {
  Deploying plumbd;
  CHECK(plumbd.wait(plumbd.push(shop("web", "1", 3)))["ok"].get<bool>());
  CHECK(value_of("web-dev", "m2") == "1");
  const Json first = plumbd.result("apps");
  const std::string second = plumbd.push(shop("web", "2", 3));
  CHECK(plumbd.wait(second)["ok"].get<bool>());
  CHECK(value_of("web-dev", "m2") == "2");
  const Json back = plumbd.result("rollback", {{"application", "web"}, {"reason", "bad"}});
  CHECK(plumbd.wait("web/dev")["ok"].get<bool>());
  CHECK(value_of("web-dev", "m2") == "1");
  CHECK(plumbd.result("app", {{"application", "web"}})["application"]["git"] == "held");
  CHECK(plumbd.result("app", {{"application", "web"}})["application"]["held_commit"] == second);
  plumbd.server.reset();
  plumbd.start();
  CHECK(plumbd.wait("web/dev")["ok"].get<bool>());
  CHECK(value_of("web-dev", "m2") == "1");
  plumbd.result("sync", {{"application", "web"}});
  CHECK(plumbd.wait("web/dev")["ok"].get<bool>());
  CHECK(value_of("web-dev", "m2") == "2");
}

TEST_CASE("what leaves Git is pruned; too much of it waits for a yes to exactly this plan") {
  Deploying plumbd;
  CHECK(plumbd.wait(plumbd.push(shop("big", "1", 10)))["ok"].get<bool>());
  const std::string one = plumbd.push(shop("big", "1", 9));
  CHECK(plumbd.wait(one)["ok"].get<bool>());
  CHECK(value_of("big-dev", "m9").empty());
  const std::string many = plumbd.push(shop("big", "1", 2));
  const Json waited = plumbd.wait(many);
  CHECK(waited["items"][0]["state"] == "waiting");
  CHECK(value_of("big-dev", "m8") == "1");
  const std::string plan = plumbd.result("diff", {{"application", "big"}})["plan"];
  CHECK(waited["items"][0]["next"].get<std::string>().find("--plan " + plan.substr(0, 12)) !=
        std::string::npos);
  CHECK(plumbd.error("sync", {{"application", "big"}, {"confirm_plan", "0123456789"}})["code"] ==
        "conflict");
  plumbd.result("sync", {{"application", "big"}, {"confirm_plan", plan.substr(0, 12)}});
  CHECK(plumbd.wait("big/dev")["ok"].get<bool>());
  CHECK(value_of("big-dev", "m8").empty());
  CHECK(value_of("big-dev", "m1") == "1");
}

TEST_CASE("an application that leaves Git is removed, and the row goes when its objects are gone") {
  Deploying plumbd;
  CHECK(plumbd.wait(plumbd.push(shop("gone", "1")))["ok"].get<bool>());
  CHECK(value_of("gone-dev", "m0") == "1");
  CHECK(plumbd.wait(plumbd.push({{"apps/other-gone/dev/o.yaml", config_map("o")}}))["ok"]
            .get<bool>());
  CHECK(value_of("gone-dev", "m0").empty());
  CHECK(plumbd.result("apps")["applications"].size() == 1);
}

TEST_CASE("an object that moves to another application in one commit stays, uid and all") {
  Deploying plumbd;
  const std::string shared =
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared, namespace: moves}\n";
  const std::string ns = "apiVersion: v1\nkind: Namespace\nmetadata: {name: moves}\n";
  Files files{{"apps/left/dev/s.yaml", shared},
              {"apps/left/dev/n.yaml", ns},
              {"apps/right/dev/o.yaml", config_map("o")}};
  CHECK(plumbd.wait(plumbd.push(files))["ok"].get<bool>());
  const auto uid = [] {
    return ControlPlane::shared().kubectl(
        {"get", "configmap", "shared", "-n", "moves", "-o", "jsonpath={.metadata.uid}"});
  };
  const std::string before = uid();
  files.erase("apps/left/dev/s.yaml");
  files["apps/right/dev/s.yaml"] = shared;
  CHECK(plumbd.wait(plumbd.push(files))["ok"].get<bool>());
  CHECK(uid() == before);
}

TEST_CASE(
    "a field that the cluster does not know is refused with file and line once its schema was "
    "read") {
  Deploying plumbd;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (plumbd.result("clusters")["clusters"][0]["schema_age_ms"].is_null()) {
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    static_cast<void>(plumbd.ask("wait", {{"what", "0000"}, {"timeout_ms", 100}}));
  }
  const std::string commit =
      plumbd.repo.commit({{"apps/typo/dev/a.yaml",
                           "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndta: {}\n"}});
  const Json verdict = plumbd.result(
      "pre_receive",
      {{"repository_path", plumbd.repo.path()},
       {"refs", {{{"ref", "refs/heads/main"}, {"old", std::string(40, '0')}, {"new", commit}}}}});
  CHECK_FALSE(verdict["accepted"].get<bool>());
  REQUIRE(verdict["verdicts"].size() == 1);
  CHECK(verdict["verdicts"][0]["file"] == "apps/typo/dev/a.yaml");
  CHECK(verdict["verdicts"][0]["line"] == 5);
  CHECK(verdict["notes"].empty());
}

TEST_CASE("a cluster that goes away keeps its pushes waiting and gets them when it is back") {
  Deploying plumbd;
  CHECK(plumbd.wait(plumbd.push(shop("away", "1")))["ok"].get<bool>());
  ControlPlane::shared().stop_api_server();
  const std::string commit = plumbd.push(shop("away", "2"));
  CHECK_FALSE(plumbd.wait(commit, 1000)["done"].get<bool>());
  ControlPlane::shared().start_api_server();
  CHECK(plumbd.wait(commit, 120'000)["ok"].get<bool>());
  CHECK(value_of("away-dev", "m0") == "2");
}

}  // namespace
}  // namespace plumb::server
