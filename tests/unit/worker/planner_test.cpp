#include "tests/unit/worker/planning.h"

namespace plumb::worker {
namespace {

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
