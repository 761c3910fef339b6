#include "tests/unit/server/rig.h"

namespace plumb::server {
namespace {

using test::config_map;
using test::Files;
using test::Json;
using test::must_fail;
using test::Plumbd;

const Files kShop{
    {"apps/web/dev/a.yaml", config_map("a")},
    {"apps/web/dev/s.yaml",
     "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {p: canary-5f1e}\n"},
    {"apps/api/dev/b.yaml", config_map("b")}};

TEST_CASE(
    "a cluster that cannot be reached is named with its kubeconfig, and its jobs wait for it") {
  Plumbd plumbd;
  plumbd.start();
  plumbd.push(kShop);
  const Json waited = plumbd.wait("web", 2000);
  CHECK_FALSE(waited["done"].get<bool>());
  const Json status = plumbd.result("status");
  CHECK(status["applications"]["total"] == 2);
  CHECK_FALSE(status["clusters"][0]["reachable"].get<bool>());
  CHECK(status["clusters"][0]["message"].get<std::string>().find("no.kubeconfig") !=
        std::string::npos);
  const std::string why = plumbd.result("why", {{"application", "web"}})["sentence"];
  CHECK(why.find("web/dev@eu-1") == 0);
}

TEST_CASE("no answer holds a secret value") {
  Plumbd plumbd;
  plumbd.start();
  plumbd.push(kShop);
  const Json web{{"application", "web"}};
  for (const char* method : {"status", "apps", "events", "jobs", "repos", "audit_list"}) {
    CAPTURE(method);
    CHECK(plumbd.ask(method).dump().find("canary-5f1e") == std::string::npos);
  }
  for (const char* method : {"app", "why", "diff", "render", "history", "logs"}) {
    CAPTURE(method);
    CHECK(plumbd.ask(method, web).dump().find("canary-5f1e") == std::string::npos);
  }
  const std::string rendered = plumbd.result("render", web).dump();
  CHECK(rendered.find("***") != std::string::npos);
  CHECK(rendered.find("ConfigMap") != std::string::npos);
}

TEST_CASE("the difference names what a first roll-out will create") {
  Plumbd plumbd;
  plumbd.start();
  const std::string commit = plumbd.push(kShop);
  const Json diff = plumbd.result("diff", {{"application", "web/dev"}});
  CHECK(diff["to"] == commit);
  REQUIRE(diff["changes"].size() == 2);
  CHECK(diff["changes"][0]["op"] == "+");
  CHECK(diff["changes"][0]["title"] == "ConfigMap web-dev/a");
}

TEST_CASE("an application that nobody knows is answered with the nearest name") {
  Plumbd plumbd;
  plumbd.start();
  plumbd.push(kShop);
  const Json error = plumbd.error("why", {{"application", "wbe"}});
  CHECK(error["code"] == "not_found");
  CHECK(error["hint"] == "did you mean web ?");
  CHECK(plumbd.error("scan", {{"repository", "none"}})["code"] == "not_found");
  CHECK(plumbd.error("nonsense")["code"] == "invalid");
}

TEST_CASE("what is no request is answered and costs nobody else") {
  Plumbd plumbd;
  plumbd.start();
  auto connection =
      test::must(local::Connection::connect(plumbd.server->socket(), std::chrono::seconds(5)));
  test::must(connection.send('J', "{\"v\":2}"));
  const auto frame = test::must(connection.receive(std::chrono::seconds(5)));
  REQUIRE(frame);
  CHECK(frame->payload.find("version 1") != std::string::npos);
  CHECK(plumbd.result("version")["schema"] == 1);
}

TEST_CASE("a commit that is wrong is refused at the scan too, and why names file and reason") {
  Plumbd plumbd;
  plumbd.start();
  plumbd.push(kShop);
  Files broken = kShop;
  broken["apps/web/dev/a.yaml"] = "kind: ConfigMap\n";
  plumbd.push(broken);
  const Json event = plumbd.result("events")["events"][0];
  CHECK(event["note"].get<std::string>().find("refused: apps/web/dev/a.yaml") == 0);
  CHECK(plumbd.result("jobs")["jobs"].size() == 2);
  CHECK(plumbd.result("audit_list", {{"verb", "event.refused"}})["rows"].size() == 1);
}

TEST_CASE("suspended applications wait, say why, and go on when resumed") {
  Plumbd plumbd;
  plumbd.start();
  plumbd.push(kShop);
  plumbd.result("suspend", {{"application", "web"}, {"reason", "incident 7"}});
  Files changed = kShop;
  changed["apps/web/dev/a.yaml"] = config_map("a", "2");
  plumbd.push(changed);
  const Json waited = plumbd.wait("web");
  CHECK(waited["done"].get<bool>());
  CHECK(waited["items"][0]["state"] == "suspended");
  CHECK(plumbd.result("why", {{"application", "web"}})["sentence"] ==
        "web/dev@eu-1 is suspended: incident 7");
  CHECK(plumbd.error("sync", {{"application", "web"}})["hint"] == "plumb resume web/dev@eu-1");
  plumbd.result("resume", {{"application", "web"}});
  CHECK(plumbd.result("jobs", {{"application", "web"}, {"limit", 1}})["jobs"][0]["state"] !=
        "waiting");
}

TEST_CASE("manual sync waits for a person") {
  Plumbd plumbd;
  plumbd.start();
  plumbd.push({{"plumbline.yaml",
                "apiVersion: plumbline.dev/v1\nkind: Application\nmetadata: {name: web}\nspec:\n  "
                "path: web\n"
                "  sync: manual\n"},
               {"web/a.yaml", config_map("a")}});
  const Json waited = plumbd.wait("web");
  CHECK(waited["items"][0]["state"] == "waiting");
  CHECK(waited["items"][0]["next"].get<std::string>().find("plumb sync web") != std::string::npos);
  const Json job = plumbd.result("sync", {{"application", "web"}, {"reason", "go"}});
  const Json newest = plumbd.result("history", {{"application", "web"}})["rollouts"][0];
  CHECK(newest["id"] == job["job"]);
  CHECK(newest["reason"] == "go");
  CHECK(newest["state"] != "waiting");
}

TEST_CASE("a second plumbd on the same data is refused") {
  Plumbd plumbd;
  plumbd.start();
  config::ServerConfig second = plumbd.config;
  second.socket = plumbd.folder() / "other.sock";
  CHECK(must_fail(Server::start(second)).code == Errc::conflict);
}

TEST_CASE("a database of a newer version is refused, and left as it is") {
  Plumbd plumbd;
  std::filesystem::create_directories(plumbd.config.data_dir);
  sqlite::Component newer = queue::schema();
  newer.migrations.push_back("CREATE TABLE of_tomorrow (x INTEGER) STRICT");
  test::must(sqlite::Store::open(plumbd.config.data_dir + "/plumbline.db", {newer}));
  const Error error = must_fail(Server::start(plumbd.config));
  CHECK(error.code == Errc::invalid);
  CHECK(error.message.find("newer") != std::string::npos);
}

TEST_CASE("a restart finds applications and their states without a render") {
  Plumbd plumbd;
  plumbd.start();
  const std::string commit = plumbd.push(kShop);
  plumbd.server.reset();
  plumbd.start();
  CHECK(plumbd.result("status")["renders"] == 0);
  const Json refs = plumbd.result("repos")["repositories"][0]["refs"];
  CHECK(refs[0]["planned"] == commit);
  CHECK(refs[0]["seen"] == commit);
  CHECK(plumbd.result("apps")["applications"].size() == 2);
}

TEST_CASE("what a crash left of incoming packs is swept at start") {
  Plumbd plumbd;
  const std::string left = plumbd.config.data_dir + "/incoming/0123456789abcdef";
  std::filesystem::create_directories(left + "/objects/pack");
  std::filesystem::permissions(plumbd.config.data_dir, std::filesystem::perms::owner_all);
  plumbd.start();
  CHECK_FALSE(std::filesystem::exists(left));
}

TEST_CASE("the audit trail of a push holds and names who") {
  Plumbd plumbd;
  plumbd.start();
  plumbd.push(kShop);
  const Json verified = plumbd.result("audit_verify");
  CHECK(verified["ok"].get<bool>());
  CHECK(verified["leaves"].get<int>() >= 2);
  const Json rows = plumbd.result("audit_list", {{"verb", "event.planned"}})["rows"];
  REQUIRE(rows.size() == 1);
  CHECK(rows[0]["leaf"]["assurance"] == "peer-uid");
}

}  // namespace
}  // namespace plumb::server
