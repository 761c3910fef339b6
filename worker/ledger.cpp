#include "worker/ledger.h"

#include <algorithm>
#include <utility>

#include "core/failpoint.h"
#include "core/log.h"
#include "plan/plan_store.h"
#include "worker/ledger_parts.h"

namespace plumb::worker {
namespace ledger {

std::string hold_reason(const queue::AppRow& row) {
  if (row.suspended) {
    return row.suspended_because.empty() ? std::string(kSuspended)
                                         : std::string(kSuspended) + ": " + row.suspended_because;
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
      entry.detail.emplace_back(event.refs[i].ref,
                                event.refs[i].old_oid + ".." + event.refs[i].new_oid);
    }
  }
  entry.detail.emplace_back("trigger", std::string(to_string(event.trigger)));
  entry.result = "ok";
  return entry;
}

}  // namespace ledger

using ledger::event_entry;
using ledger::kMaxDetail;

Ledger::Ledger(
    sqlite::Store& store, const Clock& clock, Claims& claims, ProgressHub& hub, plan::KeyOf key_of)
    : store_(store), clock_(clock), claims_(claims), hub_(hub), key_of_(std::move(key_of)) {}

// ---- intake and planning ----

Result<queue::Accepted> Ledger::accept(const Event& event, std::string_view raw) {
  auto accepted =
      store_.write<queue::Accepted>([&](sqlite::Transaction& tx) -> Result<queue::Accepted> {
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
      leaf.detail.emplace_back(verdicts[i].rule + "#" + std::to_string(i),
                               verdicts[i].place.to_string());
    }
    TRY(audit::append(tx, leaf, clock_.now()));
    return {};
  });
}

/// The applications as this commit wants them, and what must be done for that.
Result<std::vector<queue::NewJob>> Ledger::save_apps(sqlite::Transaction& tx,
                                                     const PlannedEvent& planned) {
  std::vector<queue::NewJob> jobs;
  for (const plan::Affected& affected : planned.affected) {
    const Application& app = affected.application;
    TRY(plan::save_plan(tx, affected.plan, key_of_(app.id.project), clock_.now()));
    auto row = TRY(queue::find_app(tx, app.id)).value_or(queue::AppRow{});
    row.application = app;
    row.ref = planned.ref;
    row.removed = affected.how == plan::Affected::How::removed;
    // Other rules for the same objects do not bring back what was rolled back.
    const bool held =
        !row.held_commit.empty() && !row.removed && affected.old_digest == affected.plan.digest;
    if (!held) {
      row.wanted_commit = planned.new_commit;
      row.wanted_plan = affected.plan.digest;
      row.held_commit.clear();
    }
    TRY(queue::save_app(tx, row));
    if (held) continue;
    std::string waits = ledger::hold_reason(row);
    if (waits.empty() && row.removed) waits = planned.removals_wait;
    jobs.push_back({app.id, row.removed ? JobKind::remove : JobKind::sync, app.repository,
                    planned.ref, planned.new_commit, affected.plan.digest, waits});
  }
  return jobs;
}

Result<> Ledger::save_renders(sqlite::Transaction& tx,
                              const std::vector<PlannedEvent::Render>& renders) {
  for (const auto& render : renders) {
    const AppId& id = render.plan.application.id;
    TRY(plan::save_plan(tx, render.plan, key_of_(id.project), clock_.now()));
    TRY(plan::remember_render(tx, id, render.parameters_hash, {render.plan.digest, render.closure},
                              clock_.now()));
  }
  return {};
}

Result<std::vector<JobId>> Ledger::record_plan(const PlannedEvent& planned) {
  auto stored =
      store_.write<std::vector<JobId>>([&](sqlite::Transaction& tx) -> Result<std::vector<JobId>> {
        const UnixMillis now = clock_.now();
        std::vector<queue::NewJob> jobs;
        if (planned.accept) {
          jobs = TRY(save_apps(tx, planned));
          TRY(save_renders(tx, planned.renders));
        }
        const auto ids = TRY(queue::plan_event(tx, planned.event.id, jobs, planned.note, now));
        TRY(note_ended(tx));
        if (planned.accept) {
          TRY(queue::set_planned_commit(tx, planned.event.event.repository, planned.ref,
                                        planned.new_commit));
        }
        auto leaf = event_entry(planned.accept ? "event.planned" : "event.refused",
                                planned.event.event, planned.event.id);
        leaf.ref = planned.ref;
        leaf.old_oid = planned.old_commit;
        leaf.new_oid = planned.new_commit;
        leaf.commit = planned.new_commit;
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

// ---- housekeeping ----

Result<> Ledger::keep_renders(const std::vector<PlannedEvent::Render>& renders) {
  if (renders.empty()) return {};
  return store_.write([&](sqlite::Transaction& tx) { return save_renders(tx, renders); });
}

std::vector<Job> Ledger::take_unreadable() {
  std::vector<Job> jobs;
  for (auto& [id, job] : unreadable_.with([](auto& all) { return std::exchange(all, {}); }))
    jobs.push_back(std::move(job));
  return jobs;
}

Result<> Ledger::bind_cluster(const std::string& cluster, const std::string& uid) {
  const bool known = cluster_uids_.with([&](const auto& uids) {
    const auto found = uids.find(cluster);
    return found != uids.end() && found->second == uid;
  });
  if (known) return {};
  TRY(store_.write(
      [&](sqlite::Transaction& tx) { return apply::bind_cluster_uid(tx, cluster, uid); }));
  cluster_uids_.with([&](auto& uids) { uids[cluster] = uid; });
  return {};
}

Result<int> Ledger::expire_leases_of(const std::string& worker_prefix) {
  return store_.write<int>([&](sqlite::Transaction& tx) -> Result<int> {
    const int expired = TRY(queue::expire_leases(tx, worker_prefix, clock_.now()));
    TRY(note_ended(tx));
    if (expired == 0) return expired;
    audit::Entry leaf;
    leaf.verb = "jobs.recovered";
    leaf.actor = system_actor();
    leaf.result = "ok";
    leaf.detail.emplace_back("jobs", std::to_string(expired));
    TRY(audit::append(tx, leaf, clock_.now()));
    return expired;
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
