#include "queue/backoff.h"
#include "tests/unit/queue/support.h"

using namespace plumb;
using namespace std::chrono_literals;
using Ending = Outcome::Ending;
using test::must;
using test::TestQueue;

TEST_CASE("one job of an application runs at a time, others go on beside it") {
  TestQueue q;
  const JobId web = q.add("web");
  const JobId api = q.add("api");
  const auto first = q.claim();
  REQUIRE(first);
  CHECK(first->job.id == web);
  CHECK(first->job.state == JobState::running);
  CHECK(first->job.attempt == 1);
  q.add("web");
  const auto second = q.claim();
  REQUIRE(second);
  CHECK(second->job.id == api);
  CHECK_FALSE(q.claim());
  must(q.settle(first->lease, Ending::healthy));
  CHECK(q.job(web).state == JobState::done);
  CHECK(q.claim()->job.app.name == "web");
}

TEST_CASE("a lease that ran out goes to another worker, and the first one is fenced") {
  TestQueue q;
  const JobId id = q.add("web");
  const auto lost = q.claim("w1");
  q.clock.advance(29s);
  CHECK_FALSE(q.claim("w2"));
  q.clock.advance(1s);
  const auto taken = q.claim("w2");
  REQUIRE(taken);
  CHECK(taken->job.id == id);
  CHECK(taken->lease.epoch > lost->lease.epoch);
  CHECK(q.settle(lost->lease, Ending::healthy).error().code == Errc::conflict);
  CHECK(q.write<Lease>([&](auto& tx) { return queue::renew(tx, lost->lease, 30s, q.clock.now()); })
            .error()
            .code == Errc::conflict);
  CHECK(q.change([&](auto& tx) { return queue::set_phase(tx, lost->lease, "x"); }).error().code ==
        Errc::conflict);
  CHECK(q.change([&](auto& tx) { return queue::check(tx, lost->lease); }).error().code ==
        Errc::conflict);
  CHECK(q.job(id).state == JobState::running);
  must(q.settle(taken->lease, Ending::healthy));
}

TEST_CASE("a lease that is renewed does not run out") {
  TestQueue q;
  q.add("web");
  auto lease = q.claim()->lease;
  for (int i = 0; i < 5; ++i) {
    q.clock.advance(20s);
    lease =
        must(q.write<Lease>([&](auto& tx) { return queue::renew(tx, lease, 30s, q.clock.now()); }));
    CHECK_FALSE(q.claim("w2"));
  }
  must(q.settle(lease, Ending::healthy));
}

TEST_CASE("a job that kills its worker again and again becomes poison with its reason") {
  TestQueue q;
  const JobId id = q.add("web");
  for (int i = 0; i < 3; ++i) {
    REQUIRE(q.claim("w", 3));
    q.clock.advance(31s);
  }
  CHECK_FALSE(q.claim("w", 3));
  CHECK(q.job(id).state == JobState::poison);
  CHECK(q.job(id).message == "its worker died 3 times in a row");
  CHECK(q.job(id).finished_at == q.clock.now());
}

TEST_CASE("a worker's death after honest retries is its first") {
  TestQueue q;
  const JobId id = q.add("web");
  for (int i = 0; i < 4; ++i) {
    must(q.settle(q.claim("w", 2)->lease, Ending::retry));
    q.clock.advance(61s);
  }
  REQUIRE(q.claim("w", 2));
  q.clock.advance(31s);
  CHECK(q.claim("w", 2));
  CHECK(q.job(id).state == JobState::running);
}

TEST_CASE("a retry waits for its back-off, and gives up after the last attempt") {
  TestQueue q;
  const JobId id = q.add("web");
  must(q.settle(q.claim()->lease, Ending::retry, Errc::fault, 2));
  CHECK(q.job(id).state == JobState::queued);
  CHECK(q.job(id).not_before >= q.clock.now() + 200);
  CHECK_FALSE(q.claim());
  CHECK(q.read<std::optional<UnixMillis>>([](auto& db) { return queue::next_due(db); }) ==
        q.job(id).not_before);
  q.clock.advance(61s);
  must(q.settle(q.claim()->lease, Ending::retry, Errc::fault, 2));
  CHECK(q.job(id).state == JobState::poison);
  CHECK(q.job(id).message == "gave up after 2 attempts: why");
}

TEST_CASE("a cluster that is away is tried for ever") {
  TestQueue q;
  const JobId id = q.add("web");
  for (int i = 0; i < 20; ++i) {
    const auto claimed = q.claim();
    REQUIRE(claimed);
    must(q.settle(claimed->lease, Ending::retry, Errc::unavailable, 3));
    q.clock.advance(61s);
  }
  CHECK(q.job(id).state == JobState::queued);
}

TEST_CASE("back-off is decorrelated: at least 0.2 s, at most three times the last and 60 s") {
  std::int64_t last = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t next = queue::next_backoff(last);
    CHECK(next >= 200);
    CHECK(next <= std::min<std::int64_t>(60'000, std::max<std::int64_t>(600, last * 3)));
    last = next;
  }
}

TEST_CASE("leases of a process that is gone end at once, those of others stay") {
  TestQueue q;
  const JobId ours = q.add("web");
  const JobId theirs = q.add("api");
  q.claim("local/1");
  q.claim("remote/1");
  CHECK(must(q.write<int>(
            [&](auto& tx) { return queue::expire_leases(tx, "local/", q.clock.now()); })) == 1);
  CHECK(q.claim("local/2")->job.id == ours);
  CHECK(q.job(theirs).state == JobState::running);
}

TEST_CASE("a running job is told of a newer one and ends superseded") {
  TestQueue q;
  const JobId old = q.add("web");
  const auto running = q.claim();
  const auto told = [&] {
    return q.read<std::vector<JobId>>([](auto& db) { return queue::superseded_running(db); });
  };
  CHECK(told().empty());
  const JobId newer = q.add("web");
  CHECK(told() == std::vector<JobId>{old});
  must(q.settle(running->lease, Ending::superseded));
  CHECK(q.job(old).state == JobState::superseded);
  CHECK(q.claim()->job.id == newer);
}

TEST_CASE("a newer job that only waits does not stop a running one before it is let go") {
  TestQueue q;
  const JobId old = q.add("web");
  q.claim();
  auto gated = TestQueue::a_job("web");
  gated.waits_because = "manual sync";
  const JobId waiting = q.plan(q.accept("gated").id, {gated}).front();
  const auto told = [&] {
    return q.read<std::vector<JobId>>([](auto& db) { return queue::superseded_running(db); });
  };
  CHECK(told().empty());
  must(q.change([&](auto& tx) { return queue::release(tx, waiting, q.clock.now()); }));
  CHECK(told() == std::vector<JobId>{old});
}

TEST_CASE("an old job never comes back in front of a newer one") {
  const auto ending = GENERATE(Ending::retry, Ending::waiting);
  TestQueue q;
  const JobId old = q.add("web");
  const auto running = q.claim();
  const JobId newer = q.add("web");
  must(q.settle(running->lease, ending));
  CHECK(q.job(old).state == JobState::superseded);
  CHECK(q.job(newer).state == JobState::queued);
}

TEST_CASE("a lost lease of an old job ends it when a newer one stands ready") {
  TestQueue q;
  const JobId old = q.add("web");
  q.claim();
  const JobId newer = q.add("web");
  q.clock.advance(31s);
  CHECK(q.claim()->job.id == newer);
  CHECK(q.job(old).state == JobState::superseded);
}
