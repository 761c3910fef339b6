#include <condition_variable>
#include <mutex>

#include "tests/unit/worker/rig.h"
#include "worker/dispatcher.h"
#include "worker/work.h"

namespace plumb::worker {
namespace {

using namespace std::chrono_literals;
using test::a_config_map;
using test::an_affected;
using test::an_app;
using test::must;
using test::TestLedger;

Manifest in_wave(Manifest manifest, int wave) {
  const std::string mark = R"("metadata":{)";
  manifest.json.insert(
      manifest.json.find(mark) + mark.size(),
      R"("annotations":{"plumbline.dev/wave":")" + std::to_string(wave) + R"("},)");
  manifest.hash = plan::content_hash(manifest.json, false, test::a_key());
  return manifest;
}

/// A cluster that answers as a test says.
class FakeCluster final : public apply::Cluster {
 public:
  std::function<Result<>(const Manifest&)> on_apply = [](const Manifest&) { return Result<>(); };

  Result<std::string> uid() override { return std::string("uid"); }
  Result<apply::Live> apply(const Manifest& manifest, std::chrono::milliseconds) override {
    {
      const std::scoped_lock lock(mutex_);
      calls_.push_back(manifest.key.name +
                       (manifest.json.find(R"("v":"2")") == std::string::npos ? "" : "=2"));
    }
    TRY(on_apply(manifest));
    return apply::Live{"uid-" + manifest.key.name, "1", manifest.json, "audit-1", true};
  }
  Result<std::optional<apply::Live>> get(const ObjectKey& key) override {
    return std::optional<apply::Live>(apply::Live{"uid-" + key.name, "1", "{}", "", false});
  }
  Result<bool> remove(const ObjectKey&, const std::string&) override { return true; }
  Result<> watch(const std::vector<ObjectKey>&,
                 std::chrono::steady_clock::time_point,
                 std::stop_token,
                 const std::function<bool(const ObjectKey&, const std::string&)>&) override {
    return {};
  }
  void refresh_kinds() override {}
  std::vector<std::string> calls() const {
    const std::scoped_lock lock(mutex_);
    return calls_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> calls_;
};

struct Line {
  TestLedger t;
  std::shared_ptr<FakeCluster> cluster = std::make_shared<FakeCluster>();
  zmq::Context context;
  std::unique_ptr<Dispatcher> dispatcher = must(Dispatcher::start(context, t.ledger, t.hub, {}));
  std::unique_ptr<Link> link;
  std::jthread worker;

  void start() {
    link = std::make_unique<Link>(
        must(zmq::Socket::open(context, zmq::Socket::Role::dealer, "inproc://workers")), t.clock);
    worker = std::jthread([this](std::stop_token stop) {
      work(
          *link,
          [this](const std::string&, const JobOrder&) -> Result<std::shared_ptr<apply::Cluster>> {
            return std::shared_ptr<apply::Cluster>(cluster);
          },
          stop);
    });
  }
  ~Line() {
    worker.request_stop();
    if (link) link->stop_job("the test ends");
    if (worker.joinable()) worker.join();
  }
  bool reaches(JobId job, JobState state) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (std::chrono::steady_clock::now() < deadline) {
      const auto seen = t.hub.version();
      if (t.job(job).state == state) return true;
      t.hub.wait_past(seen, 100ms);
    }
    return false;
  }
};

TEST_CASE("a job goes over the line, is applied and settled, and the inventory knows it") {
  Line line;
  const JobId job = line.t.plan_one('a', "1");
  line.start();
  REQUIRE(line.reaches(job, JobState::done));
  CHECK(line.cluster->calls() == std::vector<std::string>{"web"});
  CHECK(line.t.row().applied_commit == std::string(40, 'a'));
  const auto items = must(line.t.store->read<std::vector<apply::InventoryItem>>(
      [&](auto& db) { return apply::inventory(db, an_app("web").id); }));
  REQUIRE(items.size() == 1);
  CHECK(items[0].uid == "uid-web");
}

TEST_CASE("a job that comes while the worker is idle is given out at once") {
  Line line;
  line.start();
  const JobId job = line.t.plan_one('a', "1");
  line.dispatcher->wake();
  CHECK(line.reaches(job, JobState::done));
}

TEST_CASE("429 once costs a pause, not the attempt") {
  Line line;
  int calls = 0;
  line.cluster->on_apply = [&](const Manifest&) -> Result<> {
    if (++calls == 1) return fail(Errc::unavailable, "too many requests");
    return {};
  };
  const JobId job = line.t.plan_one('a', "1");
  line.start();
  REQUIRE(line.reaches(job, JobState::done));
  CHECK(line.t.job(job).attempt == 1);
}

TEST_CASE(
    "a cluster that gives half a body is tried again later, and the job ends well when it is "
    "back") {
  Line line;
  std::atomic<bool> away = true;
  line.cluster->on_apply = [&](const Manifest&) -> Result<> {
    if (away) return fail(Errc::unavailable, "half a body");
    return {};
  };
  const JobId job = line.t.plan_one('a', "1");
  line.start();
  REQUIRE(line.reaches(job, JobState::running));
  REQUIRE(line.reaches(job, JobState::queued));
  CHECK(line.t.job(job).message.find("half a body") != std::string::npos);
  away = false;
  line.t.clock.advance(61s);
  line.dispatcher->wake();
  CHECK(line.reaches(job, JobState::done));
}

TEST_CASE("an object that the server refuses fails the job and names the object") {
  Line line;
  line.cluster->on_apply = [](const Manifest&) -> Result<> {
    return fail(Errc::invalid, "spec.x: unknown");
  };
  const JobId job = line.t.plan_one('a', "1");
  line.start();
  REQUIRE(line.reaches(job, JobState::failed));
  CHECK(line.t.job(job).message.find("ConfigMap web-dev/web") != std::string::npos);
  CHECK(line.t.row().health == "degraded");
}

TEST_CASE(
    "a newer commit stops the running job before its next call and is what ends in the cluster") {
  Line line;
  std::optional<JobId> newer;
  line.cluster->on_apply = [&](const Manifest& manifest) -> Result<> {
    if (manifest.key.name != "first" || newer) return {};
    newer = line.t.plan('b', {an_affected(an_app("web"), {a_config_map("web-dev", "first", "2")})})
                .front();
    line.dispatcher->wake();
    std::mutex mutex;
    std::condition_variable_any told;
    std::unique_lock lock(mutex);
    told.wait_for(lock, line.link->stop_token(), 20s, [] { return false; });
    return {};
  };
  const JobId old =
      line.t
          .plan('a',
                {an_affected(an_app("web"), {a_config_map("web-dev", "first", "1"),
                                             in_wave(a_config_map("web-dev", "second", "1"), 1)})})
          .front();
  line.start();
  REQUIRE(line.reaches(old, JobState::superseded));
  REQUIRE(newer);
  REQUIRE(line.reaches(*newer, JobState::done));
  CHECK(line.cluster->calls() == std::vector<std::string>{"first", "first=2"});
  CHECK(line.t.row().applied_commit == std::string(40, 'b'));
}

TEST_CASE("a worker that lost its lease makes no further call and settles nothing") {
  Line line;
  std::atomic<bool> stolen = false;
  line.cluster->on_apply = [&](const Manifest&) -> Result<> {
    if (stolen.exchange(true)) return {};
    line.t.clock.advance(31s);
    static_cast<void>(must(line.t.ledger.claim("remote/thief", 3600s)));
    return {};
  };
  const JobId job =
      line.t
          .plan('a',
                {an_affected(an_app("web"), {a_config_map("web-dev", "first", "1"),
                                             in_wave(a_config_map("web-dev", "second", "1"), 1)})})
          .front();
  line.start();
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (line.t.job(job).attempt < 2 && std::chrono::steady_clock::now() < deadline) {
    line.t.hub.wait_past(line.t.hub.version(), 20ms);
  }
  REQUIRE(line.t.job(job).attempt == 2);
  // Another application's job shows that the worker is free again.
  const Application other = an_app("api");
  const JobId next =
      line.t.plan('b', {an_affected(other, {a_config_map("api-dev", "api", "1")})}).front();
  line.dispatcher->wake();
  REQUIRE(line.reaches(next, JobState::done));
  const auto calls = line.cluster->calls();
  CHECK(std::count(calls.begin(), calls.end(), "second") == 0);
  CHECK(line.t.job(job).state == JobState::running);
}

TEST_CASE("a worker that stops gives its job back") {
  Line line;
  line.cluster->on_apply = [&](const Manifest& manifest) -> Result<> {
    if (manifest.key.name != "first") return {};
    line.worker.request_stop();
    line.link->stop_job("plumbd stops");
    return {};
  };
  const JobId job =
      line.t
          .plan('a',
                {an_affected(an_app("web"), {a_config_map("web-dev", "first", "1"),
                                             in_wave(a_config_map("web-dev", "second", "1"), 1)})})
          .front();
  line.start();
  REQUIRE(line.reaches(job, JobState::running));
  REQUIRE(line.reaches(job, JobState::queued));
  line.worker.join();
  CHECK(line.cluster->calls() == std::vector<std::string>{"first"});
  CHECK(line.t.job(job).message == "plumbd stops");
}

TEST_CASE("a READY that crossed with its job does not get the worker a second one") {
  Line line;
  const auto dealer =
      must(zmq::Socket::open(line.context, zmq::Socket::Role::dealer, "inproc://workers"));
  line.t.plan_one('a', "1");
  line.t.plan('b', {an_affected(an_app("api"), {a_config_map("api-dev", "api", "1")})});
  dealer->send({"", "READY", "{}"});
  const auto first = must(dealer->receive(20s));
  REQUIRE(first);
  const auto order = must(decode_job_order(first->body));
  dealer->send({"", "READY", "{}"});
  WorkerCall renew;
  renew.call = 1;
  renew.lease = order.lease;
  dealer->send({"", "RENEW", encode(renew)});  // answered after the READY was seen
  const auto answer = must(dealer->receive(20s));
  REQUIRE(answer);
  CHECK(answer->type == "ACK");
  WorkerCall settle = TestLedger::settled(order.lease, Outcome::Ending::healthy);
  settle.call = 2;
  dealer->send({"", "SETTLE", encode(settle)});
  CHECK(must(dealer->receive(20s)).value().type == "ACK");
  dealer->send({"", "READY", "{}"});
  const auto second = must(dealer->receive(20s));
  REQUIRE(second);
  CHECK(must(decode_job_order(second->body)).job.app.name != order.job.app.name);
}

}  // namespace
}  // namespace plumb::worker
