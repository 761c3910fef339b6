#include "tests/unit/worker/rig.h"

namespace plumb::worker {
namespace {

using namespace std::chrono_literals;
using test::a_config_map;
using test::an_affected;
using test::an_app;
using test::must;
using test::must_fail;
using test::TestLedger;
using Ending = Outcome::Ending;

WorkerCall items(const Lease& lease, const std::string& name) {
  WorkerCall call;
  call.lease = lease;
  apply::InventoryItem item;
  item.key = {"v1", "ConfigMap", "web-dev", name};
  item.hash = "h";
  call.items = {item};
  return call;
}

TEST_CASE("a worker whose lease ran out and was given on may write nothing more") {
  TestLedger t;
  const JobId job = t.plan_one('a', "1");
  const Lease old = t.claim();
  must(t.ledger.intend(items(old, "web")));
  t.clock.advance(31s);
  const Lease now = t.claim();
  CHECK(now.job == job);
  CHECK(now.epoch > old.epoch);
  CHECK(must_fail(t.ledger.intend(items(old, "web"))).code == Errc::conflict);
  CHECK(must_fail(t.ledger.applied(items(old, "web"))).code == Errc::conflict);
  CHECK(must_fail(t.ledger.settle(TestLedger::settled(old, Ending::healthy))).code ==
        Errc::conflict);
  CHECK(must_fail(t.ledger.renew(old, 30s)).code == Errc::conflict);
  CHECK(must_fail(t.ledger.order(old)).code == Errc::conflict);
  CHECK(t.job(job).state == JobState::running);
  must(t.ledger.settle(TestLedger::settled(now, Ending::healthy)));
  CHECK(t.job(job).state == JobState::done);
}

TEST_CASE("a cluster that is away never makes a job poison") {
  TestLedger t;
  const JobId job = t.plan_one('a', "1");
  for (int i = 0; i < 30; ++i) {
    t.clock.advance(61s);
    must(t.ledger.settle(
        TestLedger::settled(t.claim(), Ending::retry, Errc::unavailable, "no route")));
  }
  CHECK(t.job(job).state == JobState::queued);
  CHECK(t.row().health == "unknown");
  CHECK(t.row().health_message == "no route");
}

TEST_CASE(
    "the newest commit takes the place of what waits, and a running job is named as overtaken") {
  TestLedger t;
  const JobId first = t.plan_one('a', "1");
  const Lease lease = t.claim();
  const JobId second = t.plan_one('b', "2");
  const JobId third = t.plan_one('c', "3");
  CHECK(t.job(second).state == JobState::superseded);
  const auto overtaken = must(t.store->read<std::vector<JobId>>(queue::superseded_running));
  CHECK(overtaken == std::vector<JobId>{first});
  must(t.ledger.settle(TestLedger::settled(lease, Ending::superseded)));
  CHECK(t.job(first).state == JobState::superseded);
  CHECK(t.claim().job == third);
}

TEST_CASE("what a worker is to do is the plan byte for byte, and the inventory") {
  TestLedger t;
  t.plan_one('a', "1");
  const Lease lease = t.claim();
  must(t.ledger.intend(items(lease, "old")));
  const auto order = must(t.ledger.order(lease));
  REQUIRE(order.plan.objects.size() == 1);
  CHECK(order.plan.objects[0].json == a_config_map("web-dev", "web", "1").json);
  REQUIRE(order.inventory.size() == 1);
  CHECK(order.inventory[0].key.name == "old");
  CHECK(order.hold.empty());
}

TEST_CASE("an object that moved to another application is not pruned by the one it left") {
  TestLedger t;
  t.plan_one('a', "1");
  const Lease lease = t.claim();
  must(t.ledger.intend(items(lease, "shared")));
  t.claims.set(an_app("api").id, {"/ConfigMap/web-dev/shared"});
  CHECK(must(t.ledger.order(lease)).claimed_elsewhere.contains("/ConfigMap/web-dev/shared"));
  WorkerCall prune;
  prune.lease = lease;
  prune.identities = {"/ConfigMap/web-dev/shared"};
  CHECK(must_fail(t.ledger.intend_prune(prune)).code == Errc::conflict);
}

TEST_CASE("a rollback holds the newer commit until another one changes the application") {
  TestLedger t;
  t.plan_one('a', "1");
  must(t.ledger.settle(TestLedger::settled(t.claim(), Ending::healthy)));
  const std::string first = t.row().applied_plan;
  t.plan_one('b', "2");
  must(t.ledger.settle(TestLedger::settled(t.claim(), Ending::healthy)));
  Ledger::Command back;
  back.kind = JobKind::rollback;
  back.actor = {"uid:0", "root", Assurance::peer_uid};
  back.seen = t.row();
  back.commit = std::string(40, 'a');
  back.plan = first;
  must(t.ledger.command(back));
  CHECK(t.row().held_commit == std::string(40, 'b'));
  CHECK(t.row().wanted_plan == first);
  CHECK(t.leaves("command.rollback").size() == 1);

  SECTION("other rules for the same objects do not bring it back") {
    auto rules = an_affected(an_app("web"), {a_config_map("web-dev", "web", "2")});
    rules.old_digest = rules.plan.digest;
    CHECK(t.plan('c', {rules}).empty());
    CHECK(t.row().wanted_plan == first);
  }
  SECTION("a new plan is applied") {
    t.plan_one('c', "3");
    CHECK(t.row().held_commit.empty());
    CHECK(t.row().wanted_commit == std::string(40, 'c'));
  }
}

TEST_CASE("a command about what changed meanwhile is refused, so that no newer commit is undone") {
  TestLedger t;
  t.plan_one('a', "1");
  Ledger::Command sync;
  sync.actor = {"uid:0", "root", Assurance::peer_uid};
  sync.seen = t.row();
  sync.commit = sync.seen.wanted_commit;
  sync.plan = sync.seen.wanted_plan;
  const JobId newer = t.plan_one('b', "2");
  CHECK(must_fail(t.ledger.command(sync)).code == Errc::conflict);
  CHECK(t.job(newer).state == JobState::queued);
}

TEST_CASE("a suspended application waits, and resuming lets it go") {
  TestLedger t;
  t.plan_one('a', "1");
  const Actor root{"uid:0", "root", Assurance::peer_uid};
  must(t.ledger.suspend(root, an_app("web").id, "incident 7"));
  CHECK(must(t.ledger.order(t.claim())).hold == "suspended: incident 7");
  const JobId next = t.plan_one('b', "2");
  CHECK(t.job(next).state == JobState::waiting);
  CHECK(t.job(next).message == "suspended: incident 7");
  must(t.ledger.resume(root, an_app("web").id, ""));
  CHECK(t.job(next).state == JobState::queued);
  CHECK(t.leaves("command.*").size() == 2);
}

TEST_CASE("resuming does not answer a question that the prune guard asked") {
  TestLedger t;
  const JobId job = t.plan_one('a', "1");
  must(t.ledger.settle(TestLedger::settled(t.claim(), Ending::waiting, Errc::denied,
                                           "would delete 40 of 50 objects")));
  must(t.ledger.resume({"uid:0", "root", Assurance::peer_uid}, an_app("web").id, ""));
  CHECK(t.job(job).state == JobState::waiting);
}

TEST_CASE("manual sync waits for a person, who may confirm a prune for exactly this plan") {
  TestLedger t;
  Application app = an_app("web");
  app.sync = SyncMode::manual;
  const JobId job = t.plan_one('a', "1", app);
  CHECK(t.job(job).state == JobState::waiting);
  CHECK(t.job(job).message == "manual sync");
  Ledger::Command sync;
  sync.actor = {"uid:0", "root", Assurance::peer_uid};
  sync.seen = t.row();
  sync.commit = sync.seen.wanted_commit;
  sync.plan = sync.seen.wanted_plan;
  sync.confirm_prune = true;
  const JobId let_go = must(t.ledger.command(sync));
  const Lease lease = t.claim();
  CHECK(lease.job == let_go);
  CHECK(must(t.ledger.order(lease)).prune_confirmed);
}

TEST_CASE("every step leaves its leaf, and the trail holds") {
  TestLedger t;
  t.plan_one('a', "1");
  const Lease lease = t.claim();
  must(t.ledger.intend(items(lease, "web")));
  must(t.ledger.applied(items(lease, "web")));
  WorkerCall gone;
  gone.lease = lease;
  gone.identities = {"/ConfigMap/web-dev/web"};
  must(t.ledger.intend_prune(gone));
  must(t.ledger.gone(gone));
  must(t.ledger.settle(TestLedger::settled(lease, Ending::healthy)));
  for (const char* verb : {"event.accepted", "event.planned", "job.claimed", "apply.intended",
                           "apply.applied", "prune.intended", "prune.done", "job.settled"}) {
    CAPTURE(verb);
    CHECK(t.leaves(verb).size() == 1);
  }
  const auto verified =
      must(t.store->read<audit::Verified>([](auto& db) { return audit::verify(db); }));
  CHECK(verified.problem.empty());
  CHECK(verified.leaves == 8);
}

TEST_CASE("a job that ends without a word of its worker leaves a leaf too") {
  TestLedger t;
  t.plan_one('a', "1");
  SECTION("superseded while it waits its turn") {
    t.plan_one('b', "2");
    const auto leaves = t.leaves("job.ended");
    REQUIRE(leaves.size() == 1);
    CHECK(leaves[0].leaf.find(R"("result":"superseded")") != std::string::npos);
    CHECK(leaves[0].leaf.find(std::string(40, 'a')) != std::string::npos);
  }
  SECTION("poison when its workers died again and again") {
    for (int i = 0; i < 5; ++i) {
      t.claim();
      t.clock.advance(31s);
    }
    CHECK(!must(t.ledger.claim("local/w", 30s)));
    const auto leaves = t.leaves("job.ended");
    REQUIRE(leaves.size() == 1);
    CHECK(leaves[0].leaf.find(R"("result":"poison")") != std::string::npos);
  }
  SECTION("but one that its worker settles has that leaf alone") {
    const Lease lease = t.claim();
    t.plan_one('b', "2");
    must(t.ledger.settle(TestLedger::settled(lease, Ending::superseded)));
    CHECK(t.leaves("job.ended").empty());
    CHECK(t.leaves("job.settled").size() == 1);
  }
}

TEST_CASE("the removal of an application is an order to remove, whatever plan was stored last") {
  TestLedger t;
  auto gone = an_affected(an_app("web"), {});
  gone.how = plan::Affected::How::removed;
  gone.plan.remove_application = true;
  t.plan_one('a', "1");
  must(t.ledger.settle(TestLedger::settled(t.claim(), Ending::healthy)));
  t.plan('b', {gone});
  CHECK(must(t.ledger.order(t.claim())).plan.remove_application);
}

TEST_CASE("a leaf without its change never stays: a stale call adds none") {
  TestLedger t;
  t.plan_one('a', "1");
  const Lease old = t.claim();
  t.clock.advance(31s);
  const Lease now = t.claim();
  static_cast<void>(must_fail(t.ledger.intend(items(old, "web"))));
  CHECK(t.leaves("apply.intended").empty());
  must(t.ledger.intend(items(now, "web")));
  CHECK(t.leaves("apply.intended").size() == 1);
}

TEST_CASE("leases of the process that is gone end at once when plumbd starts again") {
  TestLedger t;
  const JobId job = t.plan_one('a', "1");
  const Lease before = t.claim();
  CHECK(must(t.ledger.expire_leases_of("local/")) == 1);
  const Lease after = t.claim();
  CHECK(after.job == job);
  CHECK(after.epoch > before.epoch);
}

TEST_CASE("another cluster behind a known name is refused") {
  TestLedger t;
  must(t.ledger.bind_cluster("eu-1", "uid-1"));
  must(t.ledger.bind_cluster("eu-1", "uid-1"));
  CHECK(must_fail(t.ledger.bind_cluster("eu-1", "uid-2")).code == Errc::conflict);
}

}  // namespace
}  // namespace plumb::worker
