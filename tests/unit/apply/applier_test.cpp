#include "tests/unit/apply/fakes.h"

using namespace plumb;
using namespace plumb::test;

namespace {

Manifest in_wave(const std::string& name, const std::string& wave) {
  return config_map(name, "1", {{"plumbline.dev/wave", wave}});
}

Json established(const ObjectKey& key) {
  if (key.kind != "CustomResourceDefinition") return Json::object();
  return {{"conditions", {{{"type", "Established"}, {"status", "True"}}}}};
}

}  // namespace

TEST_CASE("definitions and namespaces come first, then waves in their order", "[apply]") {
  Bench bench;
  bench.cluster.status = established;
  const auto outcome =
      bench.run({in_wave("last", "5"), config_map("middle"), in_wave("first", "-3"),
                 simple("v1", "Namespace", "shop"),
                 simple("apiextensions.k8s.io/v1", "CustomResourceDefinition", "w.x"),
                 simple("x/v1", "W", "one", "shop")});
  REQUIRE(outcome.ending == Ending::healthy);
  CHECK(outcome.counts.created == 6);
  const Log& log = bench.log;
  const auto watched = log.at("watch CustomResourceDefinition w.x");
  CHECK(log.at("apply CustomResourceDefinition w.x") < watched);
  CHECK(watched < log.at("refresh kinds"));
  CHECK(log.at("refresh kinds") < log.at("apply ConfigMap shop/first"));
  CHECK(log.at("apply Namespace shop") < log.at("apply ConfigMap shop/first"));
  CHECK(log.at("apply ConfigMap shop/first") < log.at("apply ConfigMap shop/middle"));
  CHECK(log.at("apply W shop/one") < log.at("apply ConfigMap shop/last"));
  CHECK(log.at("apply ConfigMap shop/middle") < log.at("apply ConfigMap shop/last"));
}

TEST_CASE("a definition that is refused ends the job before its objects are tried", "[apply]") {
  Bench bench;
  bench.cluster.status = [](const ObjectKey&) {
    return Json{
        {"conditions",
         {{{"type", "NamesAccepted"}, {"status", "False"}, {"reason", "ListKindConflict"}}}}};
  };
  const auto outcome =
      bench.run({simple("apiextensions.k8s.io/v1", "CustomResourceDefinition", "w.x"),
                 simple("x/v1", "W", "one", "shop")});
  CHECK(outcome.ending == Ending::failed);
  CHECK(outcome.message.find("ListKindConflict") != std::string::npos);
  CHECK(bench.log.count("apply W") == 0);
}

TEST_CASE("an intent is written before the call, and the answer after it", "[apply]") {
  Bench bench;
  REQUIRE(bench.run({config_map("a")}).ending == Ending::healthy);
  CHECK(bench.log.at("intend ConfigMap shop/a") < bench.log.at("apply ConfigMap shop/a"));
  CHECK(bench.log.at("apply ConfigMap shop/a") < bench.log.at("applied ConfigMap shop/a"));
  const InventoryItem row = bench.journal.rows.at("/ConfigMap/shop/a");
  CHECK(row.state == InventoryItem::State::applied);
  CHECK(row.uid.starts_with("uid-"));
}

TEST_CASE("an intent that cannot be written stops the job before any call", "[apply]") {
  Bench bench;
  bench.journal.fails_at = "intend";
  const auto outcome = bench.run({simple("v1", "Namespace", "shop"), config_map("a")});
  CHECK(outcome.ending == Ending::retry);
  CHECK(outcome.code == Errc::conflict);
  CHECK(bench.log.count("apply ") == 0);
}

TEST_CASE("objects that did not change cost no call", "[apply]") {
  Bench bench;
  REQUIRE(bench.run({config_map("a"), config_map("b")}).ending == Ending::healthy);
  const std::size_t before = bench.log.lines().size();
  const auto again = bench.run({config_map("a"), config_map("b")});
  CHECK(again.ending == Ending::healthy);
  CHECK(again.counts.unchanged == 2);
  CHECK(bench.log.lines().size() == before);

  const auto changed = bench.run({config_map("a"), config_map("b", "2")});
  CHECK(changed.counts.unchanged == 1);
  CHECK(changed.counts.configured == 1);
  CHECK(bench.log.count("apply ConfigMap shop/a") == 1);
  CHECK(bench.log.count("apply ConfigMap shop/b") == 2);

  bench.request.reapply_unchanged = true;
  CHECK(bench.run({config_map("a"), config_map("b", "2")}).ending == Ending::healthy);
  CHECK(bench.log.count("apply ConfigMap shop/a") == 2);
}

TEST_CASE("an intent without an answer is applied again", "[apply]") {
  Bench bench;
  REQUIRE(bench.run({config_map("a")}).ending == Ending::healthy);
  bench.journal.rows.begin()->second.state = InventoryItem::State::intended;
  CHECK(bench.run({config_map("a")}).ending == Ending::healthy);
  CHECK(bench.log.count("apply ConfigMap shop/a") == 2);
}

TEST_CASE("a permanent refusal is not tried again, and later waves are not begun", "[apply]") {
  Bench bench;
  bench.cluster.refuse = [](const Manifest& manifest) -> std::optional<Error> {
    if (manifest.key.name != "bad") return std::nullopt;
    return Error{Errc::invalid, "spec.x: unknown field"};
  };
  Manifest bad = config_map("bad");
  bad.place = {"web/cm.yaml", 3, 1};
  const auto outcome = bench.run({bad, config_map("good"), in_wave("later", "1")});
  CHECK(outcome.ending == Ending::failed);
  CHECK(outcome.code == Errc::invalid);
  CHECK(outcome.message == "ConfigMap shop/bad (web/cm.yaml:3:1): spec.x: unknown field");
  CHECK(bench.log.count("apply ConfigMap shop/bad") == 1);
  CHECK(bench.log.count("apply ConfigMap shop/later") == 0);
  CHECK(bench.journal.rows.at("/ConfigMap/shop/good").state == InventoryItem::State::applied);
  CHECK(bench.journal.rows.at("/ConfigMap/shop/bad").state == InventoryItem::State::intended);
}

TEST_CASE("a passing error is tried a few times, then left to a later attempt", "[apply]") {
  Bench bench;
  bench.request.plan.application.ns.clear();
  std::atomic<int> left{2};
  bench.cluster.refuse = [&](const Manifest&) -> std::optional<Error> {
    if (left-- <= 0) return std::nullopt;
    return Error{Errc::unavailable, "etcd leader changed (500)"};
  };
  CHECK(bench.run({config_map("a")}).ending == Ending::healthy);
  CHECK(bench.log.count("apply ConfigMap shop/a") == 3);

  left = 1'000;
  const auto outcome = bench.run({config_map("b"), config_map("c"), in_wave("later", "1")});
  CHECK(outcome.ending == Ending::retry);
  CHECK(outcome.code == Errc::unavailable);
  CHECK(outcome.message.find("etcd leader changed") != std::string::npos);
  CHECK(bench.log.count("apply ConfigMap shop/b") <= 4);
  CHECK(bench.log.count("apply ConfigMap shop/later") == 0);
}

TEST_CASE("a newer commit stops the job between two calls", "[apply]") {
  Bench bench;
  bench.request.parallel_calls = 1;
  bench.cluster.after_call = [&](const std::string& line) {
    if (line == "apply ConfigMap shop/b") bench.stop.request_stop();
  };
  const auto outcome = bench.run({config_map("a"), config_map("b"), config_map("c")});
  CHECK(outcome.ending == Ending::superseded);
  CHECK(bench.log.count("apply ConfigMap shop/c") == 0);
  // What was done is written down: the next job knows of it.
  CHECK(bench.journal.rows.at("/ConfigMap/shop/b").state == InventoryItem::State::applied);
  CHECK(bench.journal.rows.at("/ConfigMap/shop/c").state == InventoryItem::State::intended);
}

TEST_CASE("a newer commit ends the wait for health", "[apply]") {
  Bench bench;
  bench.request.plan.application.health_timeout = std::chrono::minutes(5);
  bench.cluster.after_call = [&](const std::string& line) {
    if (line.starts_with("watch ")) bench.stop.request_stop();
  };
  CHECK(bench.run({simple("apps/v1", "Deployment", "web", "shop")}).ending == Ending::superseded);
}

TEST_CASE("no call starts when the lease leaves no time for it", "[apply]") {
  Bench bench;
  bench.journal.has_time = false;
  const auto outcome = bench.run({simple("v1", "Namespace", "shop"), config_map("a")});
  CHECK(outcome.ending == Ending::retry);
  CHECK(outcome.code == Errc::conflict);
  CHECK(bench.log.count("apply ") == 0);
}

TEST_CASE("when the lease is lost in the middle nothing more is called", "[apply]") {
  Bench bench;
  bench.request.parallel_calls = 1;
  bench.journal.fails_at = "applied";
  const auto outcome = bench.run(
      {simple("v1", "Namespace", "shop"), config_map("a"), config_map("b"), config_map("c")});
  CHECK(outcome.ending == Ending::retry);
  CHECK(bench.log.count("apply ") == 1);
}

TEST_CASE("the application's namespace is made when it is missing, and is nobody's object",
          "[apply]") {
  Bench bench;
  REQUIRE(bench.run({config_map("a")}).ending == Ending::healthy);
  CHECK(bench.log.at("apply Namespace shop") < bench.log.at("apply ConfigMap shop/a"));
  CHECK(bench.journal.rows.size() == 1);

  bench.request.plan.remove_application = true;
  const auto removed = bench.run({});
  CHECK(removed.ending == Ending::healthy);
  CHECK(removed.counts.pruned == 1);
  CHECK(bench.cluster.has(simple("v1", "Namespace", "shop")));
  CHECK(bench.log.count("delete Namespace") == 0);
}

TEST_CASE("a namespace that is there is left alone", "[apply]") {
  Bench bench;
  bench.cluster.put(simple("v1", "Namespace", "shop"), "uid-of-ns", false);
  REQUIRE(bench.run({config_map("a")}).ending == Ending::healthy);
  CHECK(bench.log.count("apply Namespace") == 0);
}

TEST_CASE("a wave that is no number is refused before any call", "[apply]") {
  Bench bench;
  const auto outcome = bench.run({in_wave("a", "soon"), config_map("b")});
  CHECK(outcome.ending == Ending::failed);
  CHECK(outcome.message.find("'soon', not an integer between -1000 and 1000") != std::string::npos);
  CHECK(bench.log.lines().empty());
}

TEST_CASE("not healthy in time is a failure that is not tried again", "[apply]") {
  Bench bench;
  const auto outcome = bench.run({simple("apps/v1", "Deployment", "web", "shop")});
  CHECK(outcome.ending == Ending::failed);
  CHECK(outcome.message.find("not healthy within") != std::string::npos);
  CHECK(outcome.message.find("Deployment shop/web") != std::string::npos);
}

TEST_CASE("an object that will not get well ends the wait at once", "[apply]") {
  Bench bench;
  bench.request.plan.application.health_timeout = std::chrono::minutes(5);
  bench.cluster.status = [](const ObjectKey&) {
    return Json{{"conditions",
                 {{{"type", "Failed"}, {"status", "True"}, {"reason", "BackoffLimitExceeded"}}}}};
  };
  const auto outcome = bench.run({simple("batch/v1", "Job", "migrate", "shop")});
  CHECK(outcome.ending == Ending::failed);
  CHECK(outcome.message == "Job shop/migrate: the job failed: BackoffLimitExceeded");
}
