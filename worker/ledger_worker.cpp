#include <algorithm>

#include "core/failpoint.h"
#include "core/log.h"
#include "core/scrub.h"
#include "core/text.h"
#include "plan/plan_store.h"
#include "worker/ledger.h"
#include "worker/ledger_parts.h"

namespace plumb::worker {

using ledger::add_identities;
using ledger::add_objects;
using ledger::kMaxDetail;

namespace {

constexpr std::size_t kMaxMessage = 2000;
constexpr std::size_t kMaxLines = 200;  // of one call in a job's log

std::vector<std::string> identities_of(const std::vector<apply::InventoryItem>& items) {
  std::vector<std::string> identities;
  for (const auto& item : items) identities.push_back(item.key.identity());
  return identities;
}

}  // namespace

Result<> Ledger::say(sqlite::Transaction& tx, const Job& job, std::string_view line) const {
  return queue::log_line(tx, job.id, clock_.now(), line);
}

void Ledger::note_kinds(const Job& job, const std::vector<std::string>& identities) {
  const bool kinds =
      std::any_of(identities.begin(), identities.end(), [](const std::string& identity) {
        return identity.starts_with("apiextensions.k8s.io/CustomResourceDefinition/");
      });
  if (kinds) changes_kinds_.with([&](auto& jobs) { jobs.insert(job.id); });
}

audit::Entry Ledger::entry(std::string_view verb, const Job& job, const Lease& lease) const {
  audit::Entry made;
  made.verb = verb;
  made.actor = system_actor();
  made.project = job.app.project;
  made.application = job.app.to_string();
  made.cluster_uid = cluster_uids_.with([&](const auto& uids) {
    const auto found = uids.find(job.app.cluster);
    return found == uids.end() ? std::string() : found->second;
  });
  made.repository = job.repository;
  made.ref = job.ref;
  made.commit = job.commit;
  made.plan_digest = job.plan_digest;
  made.event = job.event;
  made.job = job.id;
  made.epoch = lease.epoch;
  made.result = "ok";
  return made;
}

// ---- a worker's operations ----

Result<Job> Ledger::fenced_job(sqlite::Connection& db, const Lease& lease) {
  TRY(queue::check(db, lease));
  auto job = TRY(queue::find_job(db, lease.job));
  if (!job) return fail(Errc::conflict, "job " + std::to_string(lease.job) + " is gone");
  return *std::move(job);
}

Result<> Ledger::note_ended(sqlite::Transaction& tx, JobId settled) {
  for (const Job& job : TRY(queue::take_ended(tx))) {
    if (job.id == settled) continue;
    auto leaf = entry("job.ended", job, {});
    leaf.result = to_string(job.state);
    leaf.detail.emplace_back("message", job.message);
    TRY(audit::append(tx, leaf, clock_.now()));
  }
  return {};
}

Result<std::optional<queue::Claimed>> Ledger::claim(const std::string& worker,
                                                    std::chrono::milliseconds lease) {
  using Maybe = std::optional<queue::Claimed>;
  return store_.write<Maybe>([&](sqlite::Transaction& tx) -> Result<Maybe> {
    auto claimed = TRY(queue::claim(tx, worker, lease, clock_.now()));
    TRY(note_ended(tx));
    if (!claimed) return claimed;
    auto leaf = entry("job.claimed", claimed->job, claimed->lease);
    leaf.detail.emplace_back("worker", worker);
    leaf.detail.emplace_back("attempt", std::to_string(claimed->job.attempt));
    TRY(audit::append(tx, leaf, clock_.now()));
    TRY(say(tx, claimed->job, "attempt " + std::to_string(claimed->job.attempt) + " starts"));
    return claimed;
  });
}

Result<Lease> Ledger::renew(const Lease& lease, std::chrono::milliseconds by) {
  return store_.write<Lease>(
      [&](sqlite::Transaction& tx) { return queue::renew(tx, lease, by, clock_.now()); });
}

Result<WorkOrder> Ledger::order(const Lease& lease) {
  return store_.read<WorkOrder>([&](sqlite::Connection& db) -> Result<WorkOrder> {
    const Job job = TRY(fenced_job(db, lease));
    WorkOrder order;
    auto plan = plan::load_plan(db, job.plan_digest, key_of_(job.app.project));
    if (!plan) {
      unreadable_.with([&](auto& all) { all.emplace(job.id, job); });
      return Failure(std::move(plan).error());
    }
    order.plan = *std::move(plan);
    order.plan.commit = job.commit;
    order.plan.remove_application = job.kind == JobKind::remove;
    const auto row = TRY(queue::find_app(db, job.app));
    if (row) {
      // The plan's content is bound by its digest; how to apply it is the newest declaration's
      // word.
      order.plan.application = row->application;
      if (row->suspended && job.kind != JobKind::rollback) order.hold = ledger::hold_reason(*row);
    }
    order.inventory = TRY(apply::inventory(db, job.app));
    std::vector<std::string> ours;
    for (const auto& item : order.inventory) ours.push_back(item.key.identity());
    order.claimed_elsewhere = claims_.claimed_elsewhere(job.app, ours);
    order.prune_confirmed = job.options.find(ledger::kConfirmed) != std::string::npos;
    order.reapply_unchanged = job.options.find(ledger::kReapply) != std::string::npos;
    return order;
  });
}

Result<> Ledger::intend(const WorkerCall& call) {
  return store_.write([&](sqlite::Transaction& tx) -> Result<> {
    const Job job = TRY(fenced_job(tx, call.lease));
    std::vector<std::string> take_over;
    for (const auto& item : call.items) {
      const std::string identity = item.key.identity();
      const auto owner = claims_.owner(job.app.cluster, identity);
      if (owner == job.app) take_over.push_back(identity);
    }
    TRY(apply::intend(tx, job.app, call.items, take_over));
    auto leaf = entry("apply.intended", job, call.lease);
    add_objects(leaf, call.items);
    TRY(audit::append(tx, leaf, clock_.now()));
    FAILPOINT("intent.before_commit");
    return {};
  });
}

Result<> Ledger::applied(const WorkerCall& call) {
  return store_.write([&](sqlite::Transaction& tx) -> Result<> {
    const Job job = TRY(fenced_job(tx, call.lease));
    TRY(apply::applied(tx, job.app, call.items));
    auto leaf = entry("apply.applied", job, call.lease);
    add_objects(leaf, call.items);
    for (std::size_t i = 0; i < call.items.size() && i < kMaxLines; ++i) {
      TRY(say(tx, job, "applied " + call.items[i].key.title()));
    }
    note_kinds(job, identities_of(call.items));
    for (std::size_t i = 0; i < call.audit_ids.size() && i < kMaxDetail; ++i) {
      leaf.detail.emplace_back("audit_id#" + std::to_string(i), call.audit_ids[i]);
    }
    TRY(audit::append(tx, leaf, clock_.now()));
    FAILPOINT("applied.before_commit");
    return {};
  });
}

Result<> Ledger::intend_prune(const WorkerCall& call) {
  return store_.write([&](sqlite::Transaction& tx) -> Result<> {
    const Job job = TRY(fenced_job(tx, call.lease));
    // A newer commit may have given an object to another application since the order was made.
    if (!claims_.claimed_elsewhere(job.app, call.identities).empty()) {
      return fail(Errc::conflict, "an object to prune has a new owner: plan again");
    }
    auto leaf = entry("prune.intended", job, call.lease);
    add_identities(leaf, call.identities);
    TRY(audit::append(tx, leaf, clock_.now()));
    return {};
  });
}

Result<> Ledger::gone(const WorkerCall& call) {
  return store_.write([&](sqlite::Transaction& tx) -> Result<> {
    const Job job = TRY(fenced_job(tx, call.lease));
    TRY(apply::gone(tx, job.app, call.identities));
    auto leaf = entry("prune.done", job, call.lease);
    add_identities(leaf, call.identities);
    for (std::size_t i = 0; i < call.identities.size() && i < kMaxLines; ++i) {
      TRY(say(tx, job, "gone " + call.identities[i]));
    }
    note_kinds(job, call.identities);
    TRY(audit::append(tx, leaf, clock_.now()));
    FAILPOINT("prune.before_commit");
    return {};
  });
}

Result<> Ledger::settle_app(sqlite::Transaction& tx, const Job& job, const Outcome& outcome) {
  auto row = TRY(queue::find_app(tx, job.app));
  if (!row) return {};
  using Ending = Outcome::Ending;
  if (outcome.ending == Ending::healthy) {
    if (job.kind == JobKind::remove && row->removed) return queue::forget_app(tx, job.app);
    row->applied_commit = job.commit;
    row->applied_plan = job.plan_digest;
    row->applied_at = clock_.now();
    row->health = "healthy";
    row->health_message.clear();
  } else if (outcome.ending == Ending::failed) {
    row->health = "degraded";
    row->health_message = outcome.message;
  } else if (outcome.ending == Ending::retry) {
    row->health = "unknown";
    row->health_message = outcome.message;
  } else {
    return {};
  }
  return queue::save_app(tx, *row);
}

Result<> Ledger::settle_leaf(sqlite::Transaction& tx, const Job& job, const WorkerCall& call) {
  auto leaf = entry("job.settled", job, call.lease);
  leaf.result = to_string(call.outcome.ending);
  leaf.detail.emplace_back("state", to_string(job.state));
  leaf.detail.emplace_back("message", call.outcome.message);
  const Counts& counts = call.outcome.counts;
  leaf.detail.emplace_back("created", std::to_string(counts.created));
  leaf.detail.emplace_back("configured", std::to_string(counts.configured));
  leaf.detail.emplace_back("unchanged", std::to_string(counts.unchanged));
  leaf.detail.emplace_back("pruned", std::to_string(counts.pruned));
  TRY(audit::append(tx, leaf, clock_.now()));
  return {};
}

Result<> Ledger::settle(const WorkerCall& settled) {
  WorkerCall call = settled;
  call.outcome.message = printable(Scrubber().clean(call.outcome.message), kMaxMessage);
  auto done = store_.write<Job>([&](sqlite::Transaction& tx) -> Result<Job> {
    const Job job = TRY(fenced_job(tx, call.lease));
    TRY(queue::settle(tx, call.lease, call.outcome, clock_.now()));
    TRY(settle_app(tx, job, call.outcome));
    const Job ended = TRY(queue::find_job(tx, job.id)).value_or(job);
    TRY(settle_leaf(tx, ended, call));
    TRY(note_ended(tx, job.id));
    TRY(say(tx, job, std::string(to_string(call.outcome.ending)) + ": " + call.outcome.message));
    FAILPOINT("settle.before_commit");
    return ended;
  });
  const bool kinds =
      changes_kinds_.with([&](auto& jobs) { return jobs.erase(call.lease.job) > 0; });
  if (!done) return Failure(std::move(done).error());
  if (kinds && kinds_changed_) kinds_changed_(done->app.cluster);
  log::info("job.settled", {{"job", done->id},
                            {"app", done->app.to_string()},
                            {"state", std::string(to_string(done->state))},
                            {"message", call.outcome.message}});
  hub_.publish({done->id, done->app, std::string(to_string(done->state)), call.outcome.counts, 0, 0,
                call.outcome.message});
  return {};
}

}  // namespace plumb::worker
