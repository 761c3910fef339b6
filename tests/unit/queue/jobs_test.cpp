#include "tests/unit/queue/support.h"

using namespace plumb;
using namespace std::chrono_literals;
using Ending = Outcome::Ending;
using test::must;
using test::TestQueue;

namespace {

int sweep(TestQueue& q, const queue::Retention& keep, int limit = 1000) {
  return must(q.write<int>([&](auto& tx) { return queue::sweep(tx, keep, q.clock.now(), limit); }));
}

queue::AppRow a_row(const std::string& name) {
  queue::AppRow row;
  row.application.id = {"default", name, "dev", "eu-1"};
  row.application.repository = "shop";
  row.application.path = "apps/" + name;
  row.application.engine = Engine::kustomize;
  row.application.sync = SyncMode::manual;
  row.application.on_delete = OnDelete::orphan;
  row.application.prune = false;
  row.application.health_timeout = 90s;
  row.application.declared_at = {"plumbline.yaml", 7, 0};
  row.wanted_commit = "abc";
  row.suspended = true;
  row.suspended_because = "audit";
  return row;
}

}  // namespace

TEST_CASE("a newer job supersedes those that wait, of its own application only") {
  TestQueue q;
  const JobId old = q.add("web");
  const JobId other = q.add("api");
  auto waits = TestQueue::a_job("web");
  waits.waits_because = "manual sync";
  const JobId waiting = q.plan(q.accept("x").id, {waits}).front();
  CHECK(q.job(old).state == JobState::superseded);
  CHECK(q.job(old).message == "superseded by job " + std::to_string(waiting));
  CHECK(q.job(waiting).state == JobState::waiting);
  const JobId newest = q.add("web");
  CHECK(q.job(waiting).state == JobState::superseded);
  CHECK(q.job(newest).state == JobState::queued);
  CHECK(q.job(other).state == JobState::queued);
}

TEST_CASE("a waiting job runs only after it is released, and is released once") {
  TestQueue q;
  auto waits = TestQueue::a_job("web");
  waits.waits_because = "manual sync";
  const JobId id = q.plan(q.accept("x").id, {waits}).front();
  CHECK_FALSE(q.claim());
  const auto release = [&] {
    return q.change([&](auto& tx) { return queue::release(tx, id, q.clock.now()); });
  };
  must(release());
  CHECK(release().error().code == Errc::conflict);
  CHECK(q.claim()->job.id == id);
}

TEST_CASE("jobs are found by application, state, event and a prefix of the commit, newest first") {
  TestQueue q;
  const auto event = q.accept("x").id;
  const auto made =
      q.plan(event, {TestQueue::a_job("web", "abc123"), TestQueue::a_job("api", "abd999")});
  q.claim();
  const auto find = [&](const queue::JobFilter& filter) {
    std::vector<JobId> ids;
    for (const Job& job :
         q.read<std::vector<Job>>([&](auto& db) { return queue::jobs(db, filter); })) {
      ids.push_back(job.id);
    }
    return ids;
  };
  queue::JobFilter filter;
  CHECK(find(filter) == std::vector<JobId>{made[1], made[0]});
  filter.commit = "abc";
  CHECK(find(filter) == std::vector<JobId>{made[0]});
  filter.commit = "ab";
  CHECK(find(filter).size() == 2);
  filter = {};
  filter.state = JobState::running;
  CHECK(find(filter) == std::vector<JobId>{made[0]});
  filter = {};
  filter.app = AppId{"default", "api", "dev", "eu-1"};
  filter.event = event;
  CHECK(find(filter) == std::vector<JobId>{made[1]});
}

TEST_CASE("the log of a job keeps its order and goes with the job") {
  TestQueue q;
  const JobId id = q.add("web");
  for (const char* line : {"b", "a"}) {
    must(q.change([&](auto& tx) { return queue::log_line(tx, id, 5, line); }));
  }
  const auto lines =
      q.read<std::vector<queue::LogLine>>([&](auto& db) { return queue::log_lines(db, id); });
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].line == "b");
  CHECK(lines[1].line == "a");
}

TEST_CASE("an application's row is read back as it was saved") {
  TestQueue q;
  const auto row = a_row("web");
  must(q.change([&](auto& tx) { return queue::save_app(tx, row); }));
  const auto& id = row.application.id;
  const auto read = q.read<std::optional<queue::AppRow>>([&](auto& db) {
                       return queue::find_app(db, id);
                     }).value();
  CHECK(read.application.id == id);
  CHECK(read.application.engine == Engine::kustomize);
  CHECK(read.application.sync == SyncMode::manual);
  CHECK(read.application.on_delete == OnDelete::orphan);
  CHECK_FALSE(read.application.prune);
  CHECK(read.application.health_timeout == 90s);
  CHECK(read.application.declared_at == row.application.declared_at);
  CHECK(read.suspended);
  CHECK(read.suspended_because == "audit");
  must(q.change([&](auto& tx) { return queue::forget_app(tx, id); }));
  CHECK_FALSE(
      q.read<std::optional<queue::AppRow>>([&](auto& db) { return queue::find_app(db, id); }));
}

TEST_CASE("retention takes old finished jobs but keeps the newest of each application") {
  TestQueue q;
  must(q.change([&](auto& tx) { return queue::save_app(tx, a_row("web")); }));
  std::vector<JobId> ids;
  for (int i = 0; i < 6; ++i) {
    ids.push_back(q.add("web"));
    must(q.settle(q.claim()->lease, Ending::healthy));
  }
  const queue::Retention keep{24h, 24h, 2};
  CHECK(sweep(q, keep) == 0);
  q.clock.advance(25h);
  const JobId open = q.add("web");
  CHECK(sweep(q, keep, 3) == 6);  // three jobs, and the events that only they needed
  CHECK(sweep(q, keep) == 4);     // two more of each: `open` and ids[5] are the newest
  CHECK(q.job(ids[5]).state == JobState::done);
  CHECK(q.job(open).state == JobState::queued);
  CHECK_FALSE(q.read<std::optional<Job>>([&](auto& db) { return queue::find_job(db, ids[4]); }));
}

TEST_CASE("retention takes all jobs of an application that is gone") {
  TestQueue q;
  const JobId id = q.add("web");
  must(q.settle(q.claim()->lease, Ending::healthy));
  q.clock.advance(25h);
  sweep(q, {24h, 24h, 20});
  CHECK_FALSE(q.read<std::optional<Job>>([&](auto& db) { return queue::find_job(db, id); }));
}
