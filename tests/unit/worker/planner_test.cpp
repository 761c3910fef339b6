#include "worker/planner.h"

#include <cstdlib>

#include "plan/plan_store.h"
#include "tests/support/must.h"
#include "tests/support/temp_repo.h"

namespace plumb::worker {
namespace {

using namespace std::chrono_literals;
using test::must;
using test::TempFolder;
using test::TempRepo;
using Files = std::map<std::string, std::string>;

constexpr const char* kMain = "refs/heads/main";

std::string engines_program() {
  if (const char* named = std::getenv("PLUMB_ENGINES")) return named;
  std::error_code ignored;
  const auto beside =
      std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / "plumb-engines";
  if (std::filesystem::exists(beside, ignored)) return beside;
  const char* home = std::getenv("HOME");
  return std::string(home == nullptr ? "" : home) + "/.cache/plumbline/bin/plumb-engines";
}

std::string config_map(const std::string& name, const std::string& ns = "") {
  return "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + name +
         (ns.empty() ? "" : "\n  namespace: " + ns) + "\ndata: {a: b}\n";
}

std::string application(const std::string& name, const std::string& path) {
  return "apiVersion: plumbline.dev/v1\nkind: Application\nmetadata: {name: " + name +
         "}\nspec: {path: " + path + "}\n";
}

std::string definition(const std::string& scope) {
  return "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
         "metadata: {name: hives.bee.example}\nspec:\n  group: bee.example\n  scope: " +
         scope +
         "\n  names: {plural: hives, kind: Hive}\n  versions:\n  - {name: v1, served: true, "
         "storage: true, schema: {openAPIV3Schema: {type: object}}}\n";
}

constexpr const char* kHive = "apiVersion: bee.example/v1\nkind: Hive\nmetadata: {name: h}\n";

/// An engine that crashes over a folder named crash and hangs over one named hang.
plan::EngineOptions fake_engine(std::chrono::milliseconds deadline) {
  plan::EngineOptions options;
  options.program = PLUMB_FAKE_ENGINE;
  options.max_children = 2;
  options.deadline = deadline;
  return options;
}

plan::EngineOptions engine_options() {
  plan::EngineOptions options;
  options.program = engines_program();
  options.max_children = 1;
  return options;
}

/// plumbd's planning over one data folder; the cluster cannot be reached and was never seen.
struct Planning {
  explicit Planning(const config::ServerConfig& the_config,
                    const plan::EngineOptions& with = engine_options())
      : config(the_config), engines(with) {
    must(keys.open({"default"}));
  }
  static config::ServerConfig config_of(const std::string& data,
                                        const std::vector<std::string>& repositories) {
    config::ServerConfig config;
    config.data_dir = data;
    config.clusters = {{"eu-1", data + "/no.kubeconfig", "", {}}};
    for (const std::string& path : repositories) {
      config::RepositoryBinding binding;
      binding.name = "shop" + std::to_string(config.repositories.size());
      binding.path = path;
      binding.clusters = {"eu-1"};
      config.repositories.push_back(binding);
    }
    return config;
  }
  const config::RepositoryBinding& binding(std::size_t i = 0) const {
    return config.repositories.at(i);
  }

  /// Looks at the repository and waits until what is there is judged.
  void look(std::size_t i = 0) {
    must(planner.observe(binding(i), Trigger::scan, system_actor(), ""));
    planner.wake();
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (std::chrono::steady_clock::now() < deadline) {
      const auto seen = hub.version();
      const auto open = must(store->read<std::vector<queue::StoredEvent>>(
          [](auto& db) { return queue::unplanned(db, 10); }));
      if (open.empty()) return;
      hub.wait_past(seen, 100ms);
    }
    FAIL("not planned in time");
  }
  std::vector<Job> jobs(const std::string& commit) {
    queue::JobFilter filter;
    filter.commit = commit;
    return must(store->read<std::vector<Job>>([&](auto& db) { return queue::jobs(db, filter); }));
  }
  Judgement judge(const std::string& commit, std::size_t i = 0) {
    return must(planner.judge(binding(i), {{{kMain, std::string(40, '0'), commit}}, {}, {}}));
  }

  config::ServerConfig config;
  SystemClock clock;
  std::unique_ptr<sqlite::Store> store = must(
      sqlite::Store::open(config.data_dir + "/p.db",
                          {queue::schema(), audit::schema(), apply::schema(), plan::schema()}));
  Claims claims;
  ProgressHub hub;
  Keys keys{config.data_dir + "/keys"};
  Ledger ledger{*store, clock, claims, hub,
                [this](const std::string& project) -> const plan::ProjectKey& {
                  return keys.key_of(project);
                }};
  std::unique_ptr<Clusters> clusters = must(Clusters::start(config, clock, {}));
  plan::EnginePool engines;
  Planner planner{{config, ledger, *clusters, engines, claims, keys, hub, [] {}}};
};

struct Bed {
  TempFolder data;
  TempRepo repo;
  TempRepo other;
  config::ServerConfig config = Planning::config_of(data.path(), {repo.path(), other.path()});

  static std::string move(const TempRepo& where,
                          const Files& files,
                          const std::string& parent = {}) {
    const std::string commit = where.commit(files, parent);
    where.git({"update-ref", kMain, commit});
    return commit;
  }
};

const Files kTwoApps{{"apps/web/dev/a.yaml", config_map("a")},
                     {"apps/api/dev/b.yaml", config_map("b")}};

TEST_CASE("what a push was judged by is what its jobs use: one render for both") {
  Bed bed;
  Planning p(bed.config);
  p.planner.start();
  const std::string commit = bed.repo.commit(kTwoApps);
  const Judgement judged = p.judge(commit);
  CHECK(judged.accepted);
  CHECK(judged.applications.size() == 2);
  CHECK(judged.applications_total == 2);
  CHECK(p.planner.renders() == 2);
  REQUIRE(judged.notes.size() == 1);
  CHECK(judged.notes[0] == "no schema of cluster eu-1 was ever read: judged structure only");
  bed.repo.git({"update-ref", kMain, commit});
  p.look();
  CHECK(p.jobs(commit).size() == 2);
  CHECK(p.planner.renders() == 2);
}

TEST_CASE("a push to a branch that does not deploy costs nothing") {
  Bed bed;
  Planning p(bed.config);
  const std::string commit = bed.repo.commit(kTwoApps);
  const auto judged = must(
      p.planner.judge(p.binding(), {{{"refs/heads/x", std::string(40, '0'), commit}}, {}, {}}));
  CHECK(judged.accepted);
  CHECK_FALSE(judged.tracked);
  CHECK(p.planner.renders() == 0);
}

TEST_CASE(
    "a manifest that is none is refused with its file, and a commit that came anyway is not "
    "applied") {
  Bed bed;
  Planning p(bed.config);
  p.planner.start();
  Files files = kTwoApps;
  files["apps/web/dev/a.yaml"] = "kind: [\n";
  const std::string commit = Bed::move(bed.repo, files);
  const Judgement judged = p.judge(commit);
  CHECK_FALSE(judged.accepted);
  REQUIRE_FALSE(judged.verdicts.empty());
  CHECK(judged.verdicts[0].verdict.place.file == "apps/web/dev/a.yaml");
  p.look();
  const auto refusal = p.planner.refusal("shop0", kMain);
  REQUIRE(refusal);
  CHECK(refusal->commit == commit);
  CHECK(p.jobs(commit).empty());
  // Seen again, it is not another event.
  CHECK(must(p.planner.observe(p.binding(), Trigger::scan, system_actor(), "")) == 0);
  // The next good commit clears it.
  const std::string good = Bed::move(bed.repo, kTwoApps, commit);
  p.look();
  CHECK_FALSE(p.planner.refusal("shop0", kMain));
  CHECK(p.jobs(good).size() == 2);
}

TEST_CASE("after a restart the states are back without a render") {
  Bed bed;
  Files files = kTwoApps;
  files["apps/kus/dev/kustomization.yaml"] = "resources: [c.yaml]\n";
  files["apps/kus/dev/c.yaml"] = config_map("c");
  std::string commit = Bed::move(bed.repo, files);
  {
    Planning p(bed.config);
    p.planner.start();
    p.look();
    CHECK(p.planner.renders() == 3);
    // A comment: rendered again, the same plan, no job; and remembered.
    files["apps/kus/dev/c.yaml"] = "# why\n" + config_map("c");
    commit = Bed::move(bed.repo, files, commit);
    p.look();
    CHECK(p.planner.renders() == 4);
    CHECK(p.jobs(commit).empty());
  }
  Planning p(bed.config);
  p.planner.load();
  CHECK(p.planner.renders() == 0);
  CHECK(p.planner.state("shop0", kMain)->commit == commit);
  CHECK(p.planner.applications_total() == 3);
  CHECK(p.claims.owner("eu-1", "/ConfigMap/web-dev/a")->name == "web");
  CHECK(must(p.planner.observe(p.binding(), Trigger::scan, system_actor(), "")) == 0);
}

TEST_CASE(
    "an object that another repository's application owns is refused, naming both and the file") {
  Bed bed;
  Planning p(bed.config);
  p.planner.start();
  Bed::move(bed.repo, {{"apps/web/dev/a.yaml", config_map("a", "shared")}});
  p.look();
  const std::string commit =
      Bed::move(bed.other, {{"apps/thief/dev/t.yaml", config_map("a", "shared")}});
  const Judgement judged = p.judge(commit, 1);
  CHECK_FALSE(judged.accepted);
  REQUIRE(judged.verdicts.size() == 1);
  const Verdict& verdict = judged.verdicts[0].verdict;
  CHECK(verdict.rule == "owner.conflict");
  CHECK(verdict.application == "thief/dev@eu-1");
  CHECK(verdict.message.find("web/dev@eu-1") != std::string::npos);
  CHECK(verdict.place.file == "apps/thief/dev/t.yaml");
  p.look(1);
  CHECK(p.jobs(commit).empty());
}

TEST_CASE("a judgement about owners is made anew when the push is planned") {
  Bed bed;
  Planning p(bed.config);
  p.planner.start();
  const std::string late = bed.other.commit({{"apps/thief/dev/t.yaml", config_map("a", "shared")}});
  CHECK(p.judge(late, 1).accepted);
  Bed::move(bed.repo, {{"apps/web/dev/a.yaml", config_map("a", "shared")}});
  p.look();
  bed.other.git({"update-ref", kMain, late});
  p.look(1);
  CHECK(p.jobs(late).empty());
  CHECK(p.planner.refusal("shop1", kMain));
}

TEST_CASE(
    "an object that moves to another application in one commit has its new owner before the jobs "
    "exist") {
  Bed bed;
  Planning p(bed.config);
  p.planner.start();
  Files files{{"apps/web/dev/a.yaml", config_map("a", "shared")},
              {"apps/web/dev/k.yaml", config_map("k")},
              {"apps/api/dev/b.yaml", config_map("b")}};
  const std::string first = Bed::move(bed.repo, files);
  p.look();
  files.erase("apps/web/dev/a.yaml");
  files["apps/api/dev/a.yaml"] = config_map("a", "shared");
  const std::string second = Bed::move(bed.repo, files, first);
  p.look();
  CHECK(p.jobs(second).size() == 2);
  CHECK(p.claims.owner("eu-1", "/ConfigMap/shared/a")->name == "api");
}

TEST_CASE("a branch or a repository that is gone never means delete") {
  Bed bed;
  Planning p(bed.config);
  p.planner.start();
  const std::string commit = Bed::move(bed.repo, kTwoApps);
  p.look();
  SECTION("branch") {
    bed.repo.git({"update-ref", "-d", kMain});
    p.look();
  }
  SECTION("repository") {
    std::filesystem::rename(bed.repo.path(), bed.repo.path() + ".away");
    CHECK_FALSE(p.planner.observe(p.binding(), Trigger::scan, system_actor(), ""));
  }
  CHECK(p.planner.state("shop0", kMain)->commit == commit);
  for (const auto& row : must(p.store->read<std::vector<queue::AppRow>>(queue::apps)))
    CHECK_FALSE(row.removed);
  queue::JobFilter all;
  const auto jobs =
      must(p.store->read<std::vector<Job>>([&](auto& db) { return queue::jobs(db, all); }));
  for (const Job& job : jobs) CHECK(job.kind == JobKind::sync);
}

TEST_CASE("a forced push to an unrelated history is a difference like any other") {
  Bed bed;
  Planning p(bed.config);
  p.planner.start();
  Bed::move(bed.repo, kTwoApps);
  p.look();
  const std::string forced = Bed::move(bed.repo, {{"apps/web/dev/a.yaml", config_map("a2")}});
  p.look();
  const auto jobs = p.jobs(forced);
  REQUIRE(jobs.size() == 2);
  for (const Job& job : jobs)
    CHECK(job.kind == (job.app.name == "api" ? JobKind::remove : JobKind::sync));
  for (const Job& job : jobs) CHECK(job.state == JobState::queued);
}

TEST_CASE("a commit that removes every application asks a person first") {
  Bed bed;
  Planning p(bed.config);
  p.planner.start();
  const std::string first = Bed::move(bed.repo, kTwoApps);
  p.look();
  const std::string empty = Bed::move(bed.repo, {{"README", "gone"}}, first);
  p.look();
  const auto jobs = p.jobs(empty);
  REQUIRE(jobs.size() == 2);
  for (const Job& job : jobs) {
    CHECK(job.state == JobState::waiting);
    CHECK(job.message == "the commit removes all 2 applications of shop0");
  }
}

TEST_CASE("a state that could not be loaded does not forget an application that leaves") {
  Bed bed;
  const std::string first = Bed::move(bed.repo, kTwoApps);
  {
    Planning p(bed.config);
    p.planner.start();
    p.look();
  }
  Planning p(bed.config);  // as when the repository was away at start: load() found nothing
  p.planner.start();
  const std::string second = Bed::move(bed.repo, {{"apps/web/dev/a.yaml", config_map("a")}}, first);
  p.look();
  const auto jobs = p.jobs(second);
  REQUIRE(jobs.size() == 1);
  CHECK(jobs[0].app.name == "api");
  CHECK(jobs[0].kind == JobKind::remove);
}

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

TEST_CASE("a revert renders nothing") {
  Bed bed;
  Planning p(bed.config);
  p.planner.start();
  Files files = kTwoApps;
  const std::string first = Bed::move(bed.repo, files);
  p.look();
  files["apps/web/dev/a.yaml"] = config_map("other");
  const std::string second = Bed::move(bed.repo, files, first);
  p.look();
  CHECK(p.planner.renders() == 3);
  const std::string third = bed.repo.commit(kTwoApps, second, "revert");
  bed.repo.git({"update-ref", kMain, third});
  p.look();
  CHECK(p.planner.renders() == 3);
  CHECK(p.jobs(third).size() == 1);
}

}  // namespace
}  // namespace plumb::worker
