#include "worker/ledger.h"
#include "worker/ledger_parts.h"

namespace plumb::worker {

using ledger::event_entry;

namespace {

/// The same but for what applying itself changes.
bool is_as_seen(const queue::AppRow& now, const queue::AppRow& seen) {
  return now.wanted_commit == seen.wanted_commit && now.wanted_plan == seen.wanted_plan &&
         now.held_commit == seen.held_commit && now.removed == seen.removed &&
         now.suspended == seen.suspended;
}

std::string options_of(const Ledger::Command& command) {
  std::string options;
  if (command.confirm_prune) options = ledger::kConfirmed;
  if (command.reapply) options += (options.empty() ? "" : ",") + std::string(ledger::kReapply);
  return options;
}

Result<queue::AppRow> known_app(sqlite::Connection& db, const AppId& app) {
  auto row = TRY(queue::find_app(db, app));
  if (!row) return fail(Errc::invalid, "no application \"" + app.to_string() + "\"");
  return *std::move(row);
}

}  // namespace

Result<JobId> Ledger::command(const Command& command) {
  const AppId& id = command.seen.application.id;
  const bool back = command.kind == JobKind::rollback;
  auto made = store_.write<JobId>([&](sqlite::Transaction& tx) -> Result<JobId> {
    const UnixMillis now = clock_.now();
    auto row = TRY(known_app(tx, id));
    if (!is_as_seen(row, command.seen)) {
      return fail(Errc::conflict, id.to_string() + " changed a moment ago", "",
                  "plumb diff " + id.to_string());
    }
    const std::string& repository = row.application.repository;
    const Trigger trigger = back ? Trigger::rollback : Trigger::sync;
    const Event event{
        repository,
        {{row.ref, row.applied_commit, command.commit}},
        trigger,
        std::string(to_string(trigger)) + ":" + id.to_string() + ":" + std::to_string(now),
        command.actor,
        command.reason,
        now};
    const auto accepted = TRY(queue::accept(tx, event));
    if (accepted.duplicate)
      return fail(Errc::conflict, "the same command a moment ago: wait for it");
    const queue::NewJob job{id,           command.kind, repository,         row.ref, command.commit,
                            command.plan, "",           options_of(command)};
    const auto ids = TRY(queue::plan_event(tx, accepted.id, {job}, command.reason, now));
    TRY(note_ended(tx));
    // A second step back still holds the commit that the first one left.
    if (!back) row.held_commit.clear();
    if (back && row.held_commit.empty()) row.held_commit = row.wanted_commit;
    row.wanted_plan = command.plan;
    if (!back) row.wanted_commit = command.commit;
    TRY(queue::save_app(tx, row));
    auto leaf = event_entry(back ? "command.rollback" : "command.sync", event, accepted.id);
    leaf.project = id.project;
    leaf.application = id.to_string();
    leaf.commit = command.commit;
    leaf.plan_digest = command.plan;
    leaf.job = ids.front();
    leaf.detail.emplace_back("allowed", options_of(command));
    TRY(audit::append(tx, leaf, now));
    return ids.front();
  });
  hub_.touch();
  return made;
}

Result<> Ledger::suspend_leaf(sqlite::Transaction& tx,
                              std::string_view verb,
                              const Actor& actor,
                              const queue::AppRow& row,
                              const std::string& reason) {
  audit::Entry leaf;
  leaf.verb = verb;
  leaf.actor = actor;
  leaf.project = row.application.id.project;
  leaf.application = row.application.id.to_string();
  leaf.repository = row.application.repository;
  leaf.reason = reason;
  leaf.result = "ok";
  TRY(audit::append(tx, leaf, clock_.now()));
  return {};
}

Result<> Ledger::suspend(const Actor& actor, const AppId& app, const std::string& reason) {
  auto done = store_.write([&](sqlite::Transaction& tx) -> Result<> {
    auto row = TRY(known_app(tx, app));
    row.suspended = true;
    row.suspended_because = reason;
    TRY(queue::save_app(tx, row));
    return suspend_leaf(tx, "command.suspend", actor, row, reason);
  });
  hub_.touch();
  return done;
}

Result<> Ledger::resume(const Actor& actor, const AppId& app, const std::string& reason) {
  auto done = store_.write([&](sqlite::Transaction& tx) -> Result<> {
    auto row = TRY(known_app(tx, app));
    row.suspended = false;
    row.suspended_because.clear();
    TRY(queue::save_app(tx, row));
    queue::JobFilter waiting;
    waiting.app = app;
    waiting.state = JobState::waiting;
    const bool by_hand = row.application.sync == SyncMode::manual;
    for (const Job& job : TRY(queue::jobs(tx, waiting))) {
      // What waits for another answer (manual sync, a prune) goes on waiting.
      if (!by_hand && job.message.starts_with(ledger::kSuspended))
        TRY(queue::release(tx, job.id, clock_.now()));
    }
    return suspend_leaf(tx, "command.resume", actor, row, reason);
  });
  hub_.touch();
  return done;
}

}  // namespace plumb::worker
