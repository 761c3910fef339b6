#include "tests/unit/worker/planning.h"

namespace plumb::worker {
namespace {

TEST_CASE("a stored plan that was damaged is made again, and its job finds it") {
  Bed bed;
  const std::string commit = Bed::move(bed.repo, {{"apps/web/dev/a.yaml", config_map("a")}});
  auto p = std::make_unique<Planning>(bed.config);
  p->planner.start();
  p->look();
  p->planner.stop();
  must(p->store->write(
      [](sqlite::Transaction& tx) { return tx.exec("UPDATE plan_blob SET body = x'00112233'"); }));
  const auto claimed = must(p->ledger.claim("local/w", 30s));
  REQUIRE(claimed);
  CHECK(p->ledger.order(claimed->lease).error().code == Errc::conflict);
  SECTION("while plumbd runs") {
    p->planner.start();
  }
  SECTION("at its next start") {
    p.reset();
    p = std::make_unique<Planning>(bed.config);
    p->planner.load();
  }
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  auto order = p->ledger.order(claimed->lease);
  while (!order && std::chrono::steady_clock::now() < deadline) {
    p->hub.wait_past(p->hub.version(), 20ms);
    order = p->ledger.order(claimed->lease);
  }
  REQUIRE(order);
  CHECK(order->plan.objects.size() == 1);
  CHECK(order->plan.commit == commit);
}

TEST_CASE(
    "a judgement counts what is planned over all refs of its push and stops when time is over") {
  Application web;
  web.id = {"default", "web", "dev", "eu-1"};
  const auto now = std::chrono::steady_clock::now();
  JudgedSoFar early(now + 1h);
  CHECK(early.go_on(0, {web, web, web}));
  CHECK(early.go_on(2, {web, web, web}));
  CHECK(early.go_on(0, {web}));
  CHECK(early.count().judged == 3);
  CHECK(early.count().all.size() == 4);
  CHECK_FALSE(JudgedSoFar(now).go_on(0, {web}));
}

/// The namespace that the first object of an application has in a push.
std::string namespace_of(const Judgement& judged, const std::string& application) {
  for (const JudgedApp& app : judged.applications) {
    if (app.id.name == application) return app.changes.at(0).key.ns;
  }
  FAIL("not judged: " + application);
  return {};
}

TEST_CASE("a custom resource has the scope that its definition in the same push says") {
  Bed bed;
  Planning p(bed.config);
  const std::string scope = GENERATE("Cluster", "Namespaced");
  const std::string crd = GENERATE("apps/hives/dev/crd.yaml", "apps/zoo/dev/crd.yaml");
  const Judgement judged = p.judge(bed.repo.commit(
      {{"apps/hives/dev/kustomization.yaml", "resources: [h.yaml]\n"},
       {"apps/hives/dev/h.yaml",
        crd.find("hives") == std::string::npos ? kHive : kHive + ("---\n" + definition(scope))},
       {"apps/zoo/dev/crd.yaml",
        crd.find("zoo") == std::string::npos ? config_map("a") : definition(scope)}}));
  CHECK(judged.accepted);
  for (const JudgedApp& app : judged.applications) {
    for (const plan::ObjectChange& change : app.changes) {
      if (change.key.kind == "Hive")
        CHECK(change.key.ns == (scope == "Cluster" ? "" : "hives-dev"));
    }
  }
  CHECK(judged.applications.size() == 2);
}

TEST_CASE(
    "a scope that was guessed is asked for again, one that a planned definition says is kept") {
  Bed bed;
  Planning p(bed.config);
  p.planner.start();
  const std::string hive = bed.repo.commit({{"apps/hives/dev/h.yaml", kHive}});
  CHECK(namespace_of(p.judge(hive), "hives") == "hives-dev");
  CHECK(p.planner.renders() == 0);  // none that is remembered
  Bed::move(bed.other, {{"apps/zoo/dev/crd.yaml", definition("Cluster")}});
  p.look(1);
  CHECK(namespace_of(p.judge(hive), "hives").empty());
  CHECK(p.planner.renders() == 2);
  CHECK(namespace_of(p.judge(hive), "hives").empty());
  CHECK(p.planner.renders() == 2);
}

TEST_CASE("a commit that takes its engine with it each time is refused after three tries") {
  Bed bed;
  const std::string folder = GENERATE("crash", "hang");
  Planning p(bed.config, fake_engine(200ms));
  p.planner.start();
  const std::string bad =
      Bed::move(bed.repo, {{"plumbline.yaml", application("web", folder)},
                           {folder + "/kustomization.yaml", "resources: [a.yaml]\n"},
                           {folder + "/a.yaml", config_map("a")}});
  p.look();
  const auto refusal = p.planner.refusal("shop0", kMain);
  REQUIRE(refusal);
  CHECK(refusal->commit == bad);
  CHECK(refusal->verdicts.at(0).message.find("gave up after 3 tries: ") == 0);
  CHECK(refusal->verdicts.at(0).message.find("web/default@eu-1") != std::string::npos);
  CHECK(p.jobs(bad).empty());
  audit::Filter filter;
  filter.verb = "event.refused";
  const auto leaves = must(
      p.store->read<std::vector<audit::Row>>([&](auto& db) { return audit::list(db, filter); }));
  REQUIRE(leaves.size() == 1);
  CHECK(leaves[0].leaf.find(bad) != std::string::npos);
  // The next commit is judged for itself.
  const std::string good = Bed::move(
      bed.repo, {{"plumbline.yaml", application("web", "ok")}, {"ok/a.yaml", config_map("a")}},
      bad);
  p.look();
  CHECK_FALSE(p.planner.refusal("shop0", kMain));
  CHECK(p.jobs(good).size() == 1);
}

TEST_CASE(
    "a push that is not judged by its deadline says how far that came and holds up no other") {
  Bed bed;
  const bool accepts = GENERATE(false, true);
  bed.config.repositories[0].hooks_deadline = 2s;
  bed.config.repositories[0].on_deadline =
      accepts ? config::WhenDown::accept : config::WhenDown::refuse;
  Planning p(bed.config, fake_engine(6s));
  const std::string slow = bed.repo.commit({{"apps/a/dev/a.yaml", config_map("a")},
                                            {"plumbline.yaml", application("b", "hang")},
                                            {"hang/kustomization.yaml", "resources: []\n"},
                                            {"apps/c/dev/c.yaml", config_map("c")}});
  const Judgement late = p.judge(slow);
  CHECK(late.deadline_passed);
  CHECK(late.accepted == accepts);
  CHECK(late.judged == 1);
  REQUIRE(late.applications.size() == 3);
  CHECK(late.applications[0].ok);
  CHECK_FALSE(late.applications[1].ok);
  CHECK(late.notes.at(0).find("1 of 3 applications were judged") == 0);
  const Judgement other = p.judge(bed.other.commit(kTwoApps), 1);
  CHECK(other.accepted);
  CHECK(other.judged == 2);
  p.planner.stop();                 // waits for the render that hangs
  CHECK(p.planner.renders() == 3);  // a, web, api: c was not begun any more
}

TEST_CASE(
    "an application that was rolled back stays so where its branch's state could not be loaded") {
  Bed bed;
  Files files{{"apps/web/dev/a.yaml", config_map("a")}};
  const std::string first = Bed::move(bed.repo, files);
  std::string second;
  std::string old_plan;
  const AppId web{"default", "web", "dev", "eu-1"};
  const auto row_of = [&](Planning& p) {
    return *must(p.store->read<std::optional<queue::AppRow>>(
        [&](auto& db) { return queue::find_app(db, web); }));
  };
  {
    Planning p(bed.config);
    p.planner.start();
    p.look();
    old_plan = row_of(p).wanted_plan;
    files["apps/web/dev/a.yaml"] = config_map("a2");
    second = Bed::move(bed.repo, files, first);
    p.look();
    Ledger::Command back;
    back.actor = system_actor();
    back.kind = JobKind::rollback;
    back.seen = row_of(p);
    back.commit = first;
    back.plan = old_plan;
    must(p.ledger.command(back));
  }
  Planning p(bed.config);  // as when the repository was away at start: load() found nothing
  p.planner.start();
  files["README"] = "more";
  const std::string third = Bed::move(bed.repo, files, second);
  p.look();
  CHECK(p.jobs(third).empty());
  CHECK(row_of(p).wanted_plan == old_plan);
  CHECK(row_of(p).held_commit == second);
  files["apps/web/dev/a.yaml"] = config_map("a3");
  const std::string fourth = Bed::move(bed.repo, files, third);
  p.look();
  CHECK(p.jobs(fourth).size() == 1);
  CHECK(row_of(p).held_commit.empty());
}

}  // namespace
}  // namespace plumb::worker
