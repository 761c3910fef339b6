#pragma once
/// A ledger on a real store with a clock that stands still, and builders that name only what
/// matters.
#include "plan/plan_store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/must.h"
#include "tests/support/temp_folder.h"
#include "worker/ledger.h"

namespace plumb::test {

inline const plan::ProjectKey& a_key() {
  static const plan::ProjectKey key(std::string(32, 'k'));
  return key;
}

inline Application an_app(const std::string& name) {
  Application app;
  app.id = {"default", name, "dev", "eu-1"};
  app.repository = "shop";
  app.path = "apps/" + name;
  app.ns = name + "-dev";
  return app;
}

inline Manifest a_config_map(const std::string& ns,
                             const std::string& name,
                             const std::string& value) {
  Manifest manifest;
  manifest.key = {"v1", "ConfigMap", ns, name};
  manifest.json = R"({"apiVersion":"v1","data":{"v":")" + value +
                  R"("},"kind":"ConfigMap","metadata":{"name":")" + name + R"(","namespace":")" +
                  ns + R"("}})";
  manifest.hash = plan::content_hash(manifest.json, false, a_key());
  return manifest;
}

inline plan::Affected an_affected(const Application& app, std::vector<Manifest> objects) {
  plan::Affected affected;
  affected.application = app;
  affected.how = plan::Affected::How::added;
  affected.plan.application = app;
  affected.plan.digest = plan::plan_digest(app, objects);
  affected.plan.objects = std::move(objects);
  return affected;
}

class TestLedger {
 public:
  TestLedger()
      : store(must(sqlite::Store::open(
            folder_ / "p.db",
            {queue::schema(), audit::schema(), apply::schema(), plan::schema()}))),
        ledger(*store, clock, claims, hub, [](const std::string&) -> const plan::ProjectKey& {
          return a_key();
        }) {}

  /// Plans these for a commit "<digit>…": the jobs' ids.
  std::vector<JobId> plan(char commit, std::vector<plan::Affected> affected) {
    Event event{"shop",
                {{"refs/heads/main", std::string(40, '0'), std::string(40, commit)}},
                Trigger::push,
                "d" + std::to_string(++deliveries_),
                {"uid:1000", "Ana", Assurance::peer_uid},
                "",
                clock.now()};
    worker::PlannedEvent planned;
    planned.event.event = event;
    planned.event.id = must(ledger.accept(event)).id;
    planned.ref = "refs/heads/main";
    planned.new_commit = std::string(40, commit);
    planned.affected = std::move(affected);
    return must(ledger.record_plan(planned));
  }
  JobId plan_one(char commit, const std::string& value, const Application& app = an_app("web")) {
    return plan(commit, {an_affected(app, {a_config_map(app.ns, "web", value)})}).front();
  }

  Lease claim() {
    auto claimed = must(ledger.claim("local/w", std::chrono::seconds(30)));
    REQUIRE(claimed);
    return claimed->lease;
  }
  static worker::WorkerCall settled(const Lease& lease,
                                    Outcome::Ending ending,
                                    Errc code = Errc::fault,
                                    const std::string& message = "why") {
    worker::WorkerCall call;
    call.lease = lease;
    call.outcome = {ending, code, message, {}};
    return call;
  }
  Job job(JobId id) {
    return *must(
        store->read<std::optional<Job>>([&](auto& db) { return queue::find_job(db, id); }));
  }
  queue::AppRow row(const std::string& name = "web") {
    return *must(store->read<std::optional<queue::AppRow>>(
        [&](auto& db) { return queue::find_app(db, an_app(name).id); }));
  }
  std::vector<audit::Row> leaves(const std::string& verb) {
    audit::Filter filter;
    filter.verb = verb;
    return must(
        store->read<std::vector<audit::Row>>([&](auto& db) { return audit::list(db, filter); }));
  }

 private:
  TempFolder folder_;
  int deliveries_ = 0;

 public:
  FakeClock clock;
  std::unique_ptr<sqlite::Store> store;
  worker::Claims claims;
  worker::ProgressHub hub;
  worker::Ledger ledger;
};

}  // namespace plumb::test
