#include "tests/unit/apply/fakes.h"

using namespace plumb;
using namespace plumb::test;

namespace {

std::vector<Manifest> many(int count, const std::string& prefix = "cm-") {
  std::vector<Manifest> objects;
  for (int i = 0; i < count; ++i) objects.push_back(config_map(prefix + std::to_string(i)));
  return objects;
}

std::vector<Manifest> without(std::vector<Manifest> objects, int count) {
  objects.resize(objects.size() - static_cast<std::size_t>(count));
  return objects;
}

}  // namespace

TEST_CASE("what left the plan is deleted last, after its intent is written", "[prune]") {
  Bench bench;
  REQUIRE(bench.run({config_map("a"), config_map("b"), config_map("c")}).ending == Ending::healthy);
  const auto outcome = bench.run({config_map("a", "2"), config_map("b")});
  CHECK(outcome.ending == Ending::healthy);
  CHECK(outcome.counts.pruned == 1);
  CHECK_FALSE(bench.cluster.has(config_map("c")));
  const Log& log = bench.log;
  CHECK(log.at("intend_prune /ConfigMap/shop/c") < log.at("delete ConfigMap shop/c"));
  CHECK(log.at("delete ConfigMap shop/c") < log.at("gone /ConfigMap/shop/c"));
  CHECK_FALSE(bench.journal.rows.contains("/ConfigMap/shop/c"));
}

TEST_CASE("waves are pruned in reverse", "[prune]") {
  Bench bench;
  const auto in_wave = [](const std::string& name, const std::string& wave) {
    return config_map(name, "1", {{"plumbline.dev/wave", wave}});
  };
  bench.request.parallel_calls = 1;
  REQUIRE(bench.run({in_wave("first", "-1"), config_map("middle"), in_wave("last", "4")}).ending ==
          Ending::healthy);
  bench.request.plan.remove_application = true;
  REQUIRE(bench.run({}).ending == Ending::healthy);
  CHECK(bench.log.at("delete ConfigMap shop/last") < bench.log.at("delete ConfigMap shop/middle"));
  CHECK(bench.log.at("delete ConfigMap shop/middle") < bench.log.at("delete ConfigMap shop/first"));
}

TEST_CASE("an object that somebody made anew under the same name is kept", "[prune]") {
  Bench bench;
  REQUIRE(bench.run({config_map("a"), config_map("b")}).ending == Ending::healthy);
  bench.cluster.put(config_map("b"), "somebody-elses", false);
  const auto outcome = bench.run({config_map("a")});
  CHECK(outcome.ending == Ending::healthy);
  CHECK(outcome.counts.pruned == 0);
  CHECK(bench.cluster.has(config_map("b")));
  CHECK_FALSE(bench.journal.rows.contains("/ConfigMap/shop/b"));
}

TEST_CASE("an intent without a uid is pruned only if the object is ours", "[prune]") {
  Bench bench;
  REQUIRE(bench.run({config_map("a")}).ending == Ending::healthy);
  InventoryItem item;
  item.key = config_map("b").key;
  bench.journal.rows[item.key.identity()] = item;
  SECTION("made by us before the answer was lost") {
    bench.cluster.put(config_map("b"), "uid-b", true);
    CHECK(bench.run({config_map("a")}).counts.pruned == 1);
    CHECK_FALSE(bench.cluster.has(config_map("b")));
  }
  SECTION("made by somebody else") {
    bench.cluster.put(config_map("b"), "uid-b", false);
    CHECK(bench.run({config_map("a")}).counts.pruned == 0);
    CHECK(bench.cluster.has(config_map("b")));
  }
  SECTION("never made") {
    CHECK(bench.run({config_map("a")}).counts.pruned == 0);
  }
  CHECK_FALSE(bench.journal.rows.contains(item.key.identity()));
}

TEST_CASE("more than 30 % of the inventory asks a person before anything is called", "[prune]") {
  Bench bench;
  REQUIRE(bench.run(many(20)).ending == Ending::healthy);
  CHECK(bench.run(without(many(20), 6)).ending == Ending::healthy);  // 30 % exactly
  const auto before = bench.log.lines().size();
  auto objects = without(many(14), 5);
  objects.push_back(config_map("new"));
  const auto outcome = bench.run(objects);
  CHECK(outcome.ending == Ending::waiting);
  CHECK(outcome.message == "would delete 5 of 14 objects");
  CHECK(bench.log.lines().size() == before);

  bench.request.guard.confirmed = true;
  CHECK(bench.run(objects).counts.pruned == 5);
}

TEST_CASE("more than 50 objects ask a person, whatever their share", "[prune]") {
  Bench bench;
  REQUIRE(bench.run(many(200)).ending == Ending::healthy);
  CHECK(bench.run(without(many(200), 51)).message == "would delete 51 of 200 objects");
  CHECK(bench.run(without(many(200), 50)).ending == Ending::healthy);
}

TEST_CASE("a namespace, a definition or a volume claim asks a person even alone", "[prune]") {
  Bench bench;
  bench.cluster.status = [](const ObjectKey& key) {
    return key.kind == "PersistentVolumeClaim"
               ? Json{{"phase", "Bound"}}
               : Json{{"conditions", {{{"type", "Established"}, {"status", "True"}}}}};
  };
  Manifest precious;
  SECTION("namespace") {
    precious = simple("v1", "Namespace", "other");
  }
  SECTION("definition") {
    precious = simple("apiextensions.k8s.io/v1", "CustomResourceDefinition", "w.x");
  }
  SECTION("claim") {
    precious = simple("v1", "PersistentVolumeClaim", "data", "shop");
  }
  auto objects = many(20);
  objects.push_back(precious);
  REQUIRE(bench.run(objects).ending == Ending::healthy);
  const auto outcome = bench.run(many(20));
  CHECK(outcome.ending == Ending::waiting);
  CHECK(outcome.message.starts_with("would delete " + precious.key.title()));
  CHECK(bench.log.count("delete ") == 0);
  // Also when the whole application goes.
  bench.request.plan.remove_application = true;
  CHECK(bench.run({}).ending == Ending::waiting);
}

TEST_CASE("an application that renders to nothing is not the wish to delete it", "[prune]") {
  Bench bench;
  REQUIRE(bench.run({config_map("a")}).ending == Ending::healthy);
  const auto outcome = bench.run({});
  CHECK(outcome.ending == Ending::waiting);
  CHECK(outcome.message.find("renders to nothing") != std::string::npos);
  CHECK(bench.cluster.has(config_map("a")));
}

TEST_CASE("an object that moved to another application is handed over, never deleted", "[prune]") {
  Bench bench;
  REQUIRE(bench.run({config_map("a"), config_map("b")}).ending == Ending::healthy);
  bench.request.claimed_elsewhere = {"/ConfigMap/shop/b"};
  const auto outcome = bench.run({config_map("a")});
  CHECK(outcome.ending == Ending::healthy);
  CHECK(outcome.counts.pruned == 0);
  CHECK(bench.cluster.has(config_map("b")));
  CHECK(bench.log.count("delete ") == 0);
}

TEST_CASE("an application without prune, or one that is orphaned, leaves its objects", "[prune]") {
  Bench bench;
  REQUIRE(bench.run({config_map("a"), config_map("b")}).ending == Ending::healthy);
  SECTION("no prune") {
    bench.request.plan.application.prune = false;
    CHECK(bench.run({config_map("a")}).ending == Ending::healthy);
    CHECK(bench.journal.rows.size() == 2);
  }
  SECTION("orphaned") {
    bench.request.plan.application.on_delete = OnDelete::orphan;
    bench.request.plan.remove_application = true;
    CHECK(bench.run({}).ending == Ending::healthy);
    CHECK(bench.journal.rows.empty());
  }
  CHECK(bench.log.count("delete ") == 0);
  CHECK(bench.cluster.has(config_map("b")));
}

TEST_CASE("nothing is deleted when an apply before it was refused", "[prune]") {
  Bench bench;
  REQUIRE(bench.run({config_map("a"), config_map("b")}).ending == Ending::healthy);
  bench.cluster.refuse = [](const Manifest&) { return Error{Errc::invalid, "no"}; };
  CHECK(bench.run({config_map("a", "2")}).ending == Ending::failed);
  CHECK(bench.log.count("delete ") == 0);
}

TEST_CASE("a preview says what a run would do", "[prune]") {
  Bench bench;
  REQUIRE(bench.run({config_map("a"), config_map("b"), config_map("c"), config_map("d")}).ending ==
          Ending::healthy);
  Plan plan = bench.request.plan;
  plan.objects = {config_map("a"), config_map("b", "2"), config_map("e")};
  const auto shown = apply::preview(plan, bench.journal.inventory(), {"/ConfigMap/shop/d"});
  REQUIRE(shown.create.size() == 1);
  CHECK(shown.create[0].name == "e");
  REQUIRE(shown.change.size() == 1);
  CHECK(shown.change[0].name == "b");
  REQUIRE(shown.unchanged.size() == 1);
  REQUIRE(shown.prune.size() == 1);
  CHECK(shown.prune[0].name == "c");
  REQUIRE(shown.handed_over.size() == 1);
  CHECK(shown.handed_over[0].name == "d");
}
