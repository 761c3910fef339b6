#include "worker/ledger.h"

#include <algorithm>

#include "core/failpoint.h"
#include "core/log.h"
#include "plan/plan_store.h"

namespace plumb::worker {
namespace {

constexpr std::size_t kMaxDetail = 200;  // objects named in one leaf; the plan holds them all

constexpr std::string_view kConfirmed = "prune-confirmed";  // in Job::options
constexpr std::string_view kReapply = "reapply";

std::string hold_reason(const queue::AppRow& row) {
  if (row.suspended) {
    return row.suspended_because.empty() ? "suspended" : "suspended: " + row.suspended_because;
  }
  if (row.application.sync == SyncMode::manual) return "manual sync";
  return {};
}

void add_objects(audit::Entry& entry, const std::vector<apply::InventoryItem>& items) {
  entry.detail.emplace_back("objects", std::to_string(items.size()));
  for (std::size_t i = 0; i < items.size() && i < kMaxDetail; ++i) {
    entry.detail.emplace_back(items[i].key.identity(), items[i].hash);
  }
}

void add_identities(audit::Entry& entry, const std::vector<std::string>& identities) {
  entry.detail.emplace_back("objects", std::to_string(identities.size()));
  for (std::size_t i = 0; i < identities.size() && i < kMaxDetail; ++i) {
    entry.detail.emplace_back(identities[i], "");
  }
}

audit::Entry event_entry(std::string_view verb, const Event& event, EventId id) {
  audit::Entry entry;
  entry.verb = verb;
  entry.actor = event.actor;
  entry.repository = event.repository;
  entry.reason = event.reason;
  entry.event = id;
  if (!event.refs.empty()) {
    entry.ref = event.refs.front().ref;
    entry.old_oid = event.refs.front().old_oid;
    entry.new_oid = event.refs.front().new_oid;
  }
  if (event.refs.size() > 1) {
    entry.detail.emplace_back("refs", std::to_string(event.refs.size()));
    for (std::size_t i = 1; i < event.refs.size() && i < kMaxDetail; ++i) {
      entry.detail.emplace_back(event.refs[i].ref, event.refs[i].old_oid + ".." + event.refs[i].new_oid);
    }
  }
  entry.detail.emplace_back("trigger", std::string(to_string(event.trigger)));
  entry.result = "ok";
  return entry;
}

}  // namespace

Ledger::Ledger(sqlite::Store& store, const Clock& clock, Claims& claims, ProgressHub& hub, plan::KeyOf key_of)
    : store_(store), clock_(clock), claims_(claims), hub_(hub), key_of_(std::move(key_of)) {}

audit::Entry Ledger::entry(std::string_view verb, const Job& job, const Lease& lease) const {
  audit::Entry made;
  made.verb = verb;
  made.actor = system_actor();
  made.project = job.app.project;
  made.application = job.app.to_string();
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

// ---- intake and planning ----

Result<queue::Accepted> Ledger::accept(const Event& event, std::string_view raw) {
  auto accepted = store_.write<queue::Accepted>([&](sqlite::Transaction& tx) -> Result<queue::Accepted> {
    const auto made = TRY(queue::accept(tx, event, raw));
    if (made.duplicate) return made;
    TRY(audit::append(tx, event_entry("event.accepted", event, made.id), clock_.now()));
    FAILPOINT("receiver.before_commit");
    return made;
  });
  if (accepted) FAILPOINT("receiver.after_commit");
  return accepted;
}

Result<> Ledger::ignore_event(const queue::StoredEvent& event, const std::string& note) {
  auto done = store_.write([&](sqlite::Transaction& tx) -> Result<> {
    TRY(queue::plan_event(tx, event.id, {}, note, clock_.now()));
    return {};
  });
  hub_.touch();
  return done;
}

Result<> Ledger::refuse_push(const Event& event, const std::vector<Verdict>& verdicts) {
  return store_.write([&](sqlite::Transaction& tx) -> Result<> {
    auto leaf = event_entry("push.refused", event, 0);
    leaf.result = "denied";
    for (std::size_t i = 0; i < verdicts.size() && i < 20; ++i) {
      leaf.detail.emplace_back(verdicts[i].rule + "#" + std::to_string(i), verdicts[i].place.to_string());
    }
    TRY(audit::append(tx, leaf, clock_.now()));
    return {};
  });
}

Result<std::vector<JobId>> Ledger::record_plan(const PlannedEvent& planned) {
  auto stored = store_.write<std::vector<JobId>>([&](sqlite::Transaction& tx) -> Result<std::vector<JobId>> {
    const UnixMillis now = clock_.now();
    std::vector<queue::NewJob> jobs;
    for (const plan::Affected& affected : planned.affected) {
      if (!planned.accept) break;
      const Application& app = affected.application;
      TRY(plan::save_plan(tx, affected.plan, key_of_(app.id.project), now));
      auto row = TRY(queue::find_app(tx, app.id)).value_or(queue::AppRow{});
      row.application = app;
      row.ref = planned.ref;
      row.wanted_commit = planned.new_commit;
      row.wanted_plan = affected.plan.digest;
      row.removed = affected.how == plan::Affected::How::removed;
      row.held_commit.clear();
      TRY(queue::save_app(tx, row));
      jobs.push_back({app.id, row.removed ? JobKind::remove : JobKind::sync, app.repository, planned.ref,
                      planned.new_commit, affected.plan.digest, hold_reason(row)});
    }
    const auto ids = TRY(queue::plan_event(tx, planned.event.id, jobs, planned.note, now));
    if (planned.accept) {
      TRY(queue::set_planned_commit(tx, planned.event.event.repository, planned.ref, planned.new_commit));
    }
    auto leaf = event_entry(planned.accept ? "event.planned" : "event.refused", planned.event.event, planned.event.id);
    leaf.ref = planned.ref;
    leaf.old_oid = planned.old_commit;
    leaf.new_oid = planned.new_commit;
    leaf.result = planned.accept ? "ok" : "denied";
    leaf.detail.emplace_back("note", planned.note);
    for (std::size_t i = 0; i < jobs.size() && i < kMaxDetail; ++i) {
      leaf.detail.emplace_back(jobs[i].app.to_string(), jobs[i].plan_digest);
    }
    TRY(audit::append(tx, leaf, now));
    FAILPOINT("plan.before_commit");
    return ids;
  });
  if (stored) FAILPOINT("plan.after_commit");
  hub_.touch();
  return stored;
}

// ---- a worker's operations ----

Result<Job> Ledger::fenced_job(sqlite::Connection& db, const Lease& lease) {
  TRY(queue::check(db, lease));
  auto job = TRY(queue::find_job(db, lease.job));
  if (!job) return fail(Errc::conflict, "job " + std::to_string(lease.job) + " is gone");
  return *std::move(job);
}

Result<std::optional<queue::Claimed>> Ledger::claim(const std::string& worker,
                                                    std::chrono::milliseconds lease) {
  using Maybe = std::optional<queue::Claimed>;
  return store_.write<Maybe>([&](sqlite::Transaction& tx) -> Result<Maybe> {
    auto claimed = TRY(queue::claim(tx, worker, lease, clock_.now()));
    if (!claimed) return claimed;
    auto leaf = entry("job.claimed", claimed->job, claimed->lease);
    leaf.detail.emplace_back("worker", worker);
    leaf.detail.emplace_back("attempt", std::to_string(claimed->job.attempt));
    TRY(audit::append(tx, leaf, clock_.now()));
    return claimed;
  });
}

Result<Lease> Ledger::renew(const Lease& lease, std::chrono::milliseconds by) {
  return store_.write<Lease>([&](sqlite::Transaction& tx) { return queue::renew(tx, lease, by, clock_.now()); });
}

Result<WorkOrder> Ledger::order(const Lease& lease) {
  return store_.read<WorkOrder>([&](sqlite::Connection& db) -> Result<WorkOrder> {
    const Job job = TRY(fenced_job(db, lease));
    WorkOrder order;
    order.plan = TRY(plan::load_plan(db, job.plan_digest, key_of_(job.app.project)));
    order.plan.commit = job.commit;
    const auto row = TRY(queue::find_app(db, job.app));
    if (row) {
      // The plan's content is bound by its digest; how to apply it is the newest declaration's word.
      order.plan.application = row->application;
      if (row->suspended && job.kind != JobKind::rollback) order.hold = hold_reason(*row);
    }
    order.inventory = TRY(apply::inventory(db, job.app));
    std::vector<std::string> ours;
    for (const auto& item : order.inventory) ours.push_back(item.key.identity());
    order.claimed_elsewhere = claims_.claimed_elsewhere(job.app, ours);
    order.prune_confirmed = job.options.find(kConfirmed) != std::string::npos;
    order.reapply_unchanged = job.options.find(kReapply) != std::string::npos;
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

Result<> Ledger::settle(const WorkerCall& call) {
  auto done = store_.write<Job>([&](sqlite::Transaction& tx) -> Result<Job> {
    const Job job = TRY(fenced_job(tx, call.lease));
    TRY(queue::settle(tx, call.lease, call.outcome, clock_.now()));
    TRY(settle_app(tx, job, call.outcome));
    auto leaf = entry("job.settled", job, call.lease);
    leaf.result = to_string(call.outcome.ending);
    leaf.detail.emplace_back("message", call.outcome.message);
    const Counts& counts = call.outcome.counts;
    leaf.detail.emplace_back("created", std::to_string(counts.created));
    leaf.detail.emplace_back("configured", std::to_string(counts.configured));
    leaf.detail.emplace_back("unchanged", std::to_string(counts.unchanged));
    leaf.detail.emplace_back("pruned", std::to_string(counts.pruned));
    TRY(audit::append(tx, leaf, clock_.now()));
    FAILPOINT("settle.before_commit");
    return TRY(queue::find_job(tx, job.id)).value_or(job);
  });
  if (!done) return Failure(std::move(done).error());
  log::info("job.settled", {{"job", done->id},
                            {"app", done->app.to_string()},
                            {"state", std::string(to_string(done->state))},
                            {"message", call.outcome.message}});
  hub_.publish({done->id, done->app, std::string(to_string(done->state)), call.outcome.counts, 0, 0,
                call.outcome.message});
  return {};
}

// ---- commands ----

Result<JobId> Ledger::command(const Actor& actor, Trigger trigger, JobKind kind, const queue::AppRow& app,
                              const std::string& commit, const std::string& plan, const std::string& reason,
                              bool confirm_prune, bool reapply) {
  auto made = store_.write<JobId>([&](sqlite::Transaction& tx) -> Result<JobId> {
    const UnixMillis now = clock_.now();
    const AppId& id = app.application.id;
    Event event{app.application.repository, {{app.ref, app.applied_commit, commit}}, trigger,
                std::string(to_string(trigger)) + ":" + id.to_string() + ":" + std::to_string(now),
                actor, reason, now};
    const auto accepted = TRY(queue::accept(tx, event));
    if (accepted.duplicate) return fail(Errc::conflict, "the same command a moment ago: wait for it");
    std::string allowed = confirm_prune ? std::string(kConfirmed) : std::string();
    if (reapply) allowed += (allowed.empty() ? "" : ",") + std::string(kReapply);
    const queue::NewJob job{id, kind, app.application.repository, app.ref, commit, plan, "", allowed};
    const auto ids = TRY(queue::plan_event(tx, accepted.id, {job}, reason, now));
    auto row = app;
    row.held_commit = kind == JobKind::rollback ? app.wanted_commit : "";
    row.wanted_plan = plan;
    if (kind != JobKind::rollback) row.wanted_commit = commit;
    TRY(queue::save_app(tx, row));
    auto leaf = event_entry(kind == JobKind::rollback ? "command.rollback" : "command.sync", event, accepted.id);
    leaf.project = id.project;
    leaf.application = id.to_string();
    leaf.commit = commit;
    leaf.plan_digest = plan;
    leaf.job = ids.front();
    leaf.detail.emplace_back("allowed", allowed);
    TRY(audit::append(tx, leaf, now));
    return ids.front();
  });
  hub_.touch();
  return made;
}

Result<> Ledger::suspend(const Actor& actor, const AppId& app, const std::string& reason) {
  return store_.write([&](sqlite::Transaction& tx) -> Result<> {
    auto row = TRY(queue::find_app(tx, app));
    if (!row) return fail(Errc::invalid, "no application \"" + app.to_string() + "\"");
    row->suspended = true;
    row->suspended_because = reason;
    TRY(queue::save_app(tx, *row));
    audit::Entry leaf;
    leaf.verb = "command.suspend";
    leaf.actor = actor;
    leaf.project = app.project;
    leaf.application = app.to_string();
    leaf.repository = row->application.repository;
    leaf.reason = reason;
    leaf.result = "ok";
    TRY(audit::append(tx, leaf, clock_.now()));
    return {};
  });
}

Result<> Ledger::resume(const Actor& actor, const AppId& app, const std::string& reason) {
  auto done = store_.write([&](sqlite::Transaction& tx) -> Result<> {
    auto row = TRY(queue::find_app(tx, app));
    if (!row) return fail(Errc::invalid, "no application \"" + app.to_string() + "\"");
    row->suspended = false;
    row->suspended_because.clear();
    TRY(queue::save_app(tx, *row));
    if (row->application.sync == SyncMode::automatic) {
      queue::JobFilter waiting;
      waiting.app = app;
      waiting.state = JobState::waiting;
      for (const Job& job : TRY(queue::jobs(tx, waiting))) TRY(queue::release(tx, job.id, clock_.now()));
    }
    audit::Entry leaf;
    leaf.verb = "command.resume";
    leaf.actor = actor;
    leaf.project = app.project;
    leaf.application = app.to_string();
    leaf.repository = row->application.repository;
    leaf.reason = reason;
    leaf.result = "ok";
    TRY(audit::append(tx, leaf, clock_.now()));
    return {};
  });
  hub_.touch();
  return done;
}

Result<int> Ledger::expire_leases_of(const std::string& worker_prefix) {
  return store_.write<int>([&](sqlite::Transaction& tx) {
    return queue::expire_leases(tx, worker_prefix, clock_.now());
  });
}

Result<> Ledger::sweep(const queue::Retention& keep) {
  return store_.write([&](sqlite::Transaction& tx) -> Result<> {
    const UnixMillis now = clock_.now();
    TRY(queue::sweep(tx, keep, now));
    std::vector<std::string> kept;
    for (const auto& row : TRY(queue::apps(tx))) {
      kept.push_back(row.wanted_plan);
      kept.push_back(row.applied_plan);
      queue::JobFilter of_app;
      of_app.app = row.application.id;
      of_app.limit = keep.keep_jobs_per_app;
      for (const Job& job : TRY(queue::jobs(tx, of_app))) kept.push_back(job.plan_digest);
    }
    const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(keep.finished_jobs);
    TRY(plan::sweep_plans(tx, kept, now - age.count(), 1000));
    return {};
  });
}

}  // namespace plumb::worker
