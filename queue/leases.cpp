#include "queue/backoff.h"
#include "queue/job_rows.h"
#include "queue/queue.h"

namespace plumb::queue {
namespace {

constexpr std::string_view kLeaseLost = "the lease ran out and the job went on without this worker";

/// Jobs whose worker said nothing until its lease ran out go back to the queue, or become poison.
Result<> take_back_expired(sqlite::Transaction& tx, UnixMillis now, int max_attempts) {
  sqlite::Statement& poison =
      TRY(tx.statement("UPDATE job SET state = 'poison', worker = NULL, lease_until = NULL, "
                       "finished_at = ?1, epoch = epoch + 1, crashes = crashes + 1, phase = '',"
                       " message = 'its worker died ' || (crashes + 1) || ' times in a row'"
                       " WHERE state = 'running' AND lease_until <= ?1 AND crashes + 1 >= ?2"));
  TRY(poison.bind_all(now, max_attempts));
  TRY(poison.run());
  sqlite::Statement& again = TRY(tx.statement(
      "UPDATE job SET state = 'queued', worker = NULL, lease_until = NULL, not_before = ?1,"
      " epoch = epoch + 1, crashes = crashes + 1, phase = ''"
      " WHERE state = 'running' AND lease_until <= ?1"));
  TRY(again.bind(1, now));
  TRY(again.run());
  if (tx.changes() == 0) return {};
  // A newer job may stand beside the one that came back.
  return tx.exec(
      "UPDATE job SET state = 'superseded', finished_at = not_before, message = 'superseded by a "
      "newer commit'"
      " WHERE state = 'queued' AND EXISTS (SELECT 1 FROM job AS newer WHERE newer.app = job.app"
      " AND newer.id > job.id AND newer.state IN ('queued', 'waiting'))");
}

struct Held {
  int attempt = 0;
  std::int64_t backoff = 0;
  std::string app;
};

Result<Held> held_by(sqlite::Connection& db, const Lease& lease) {
  sqlite::Statement& row = TRY(db.statement(
      "SELECT attempt, backoff, app FROM job WHERE id = ? AND epoch = ? AND state = 'running'"));
  TRY(row.bind_all(lease.job, lease.epoch));
  const bool found = TRY(row.step());
  Held held;
  if (found) held = {static_cast<int>(row.integer(0)), row.integer(1), row.text(2)};
  row.reset();
  if (!found) return fail(Errc::conflict, std::string(kLeaseLost));
  return held;
}

Result<bool> has_newer(sqlite::Connection& db, const std::string& app, JobId job) {
  sqlite::Statement& row = TRY(db.statement("SELECT 1 FROM job WHERE app = ? AND id > ? LIMIT 1"));
  TRY(row.bind_all(app, job));
  const bool found = TRY(row.step());
  row.reset();
  return found;
}

}  // namespace

Result<std::optional<Claimed>> claim(sqlite::Transaction& tx,
                                     std::string_view worker,
                                     std::chrono::milliseconds lease,
                                     UnixMillis now,
                                     int max_attempts) {
  TRY(take_back_expired(tx, now, max_attempts));
  sqlite::Statement& next = TRY(tx.statement(
      "SELECT id FROM job WHERE state = 'queued' AND not_before <= ?1 AND NOT EXISTS"
      " (SELECT 1 FROM job AS busy WHERE busy.app = job.app AND busy.state = 'running')"
      " ORDER BY not_before, id LIMIT 1"));
  TRY(next.bind(1, now));
  const bool found = TRY(next.step());
  const JobId id = found ? next.integer(0) : 0;
  next.reset();
  if (!found) return std::optional<Claimed>();
  sqlite::Statement& take =
      TRY(tx.statement("UPDATE job SET state = 'running', attempt = attempt + 1, epoch = epoch + "
                       "1, worker = ?1, lease_until = ?2,"
                       " phase = '' WHERE id = ?3 RETURNING epoch"));
  TRY(take.bind_all(worker, now + lease.count(), id));
  static_cast<void>(TRY(take.step()));
  Claimed claimed;
  claimed.lease = {id, take.integer(0), std::string(worker), now + lease.count()};
  TRY(take.run());
  auto job = TRY(find_job(tx, id));
  claimed.job = *std::move(job);
  return std::optional<Claimed>(std::move(claimed));
}

Result<> check(sqlite::Connection& db, const Lease& lease) {
  TRY(held_by(db, lease));
  return {};
}

Result<Lease> renew(sqlite::Transaction& tx,
                    const Lease& lease,
                    std::chrono::milliseconds by,
                    UnixMillis now) {
  TRY(held_by(tx, lease));
  sqlite::Statement& row =
      TRY(tx.statement("UPDATE job SET lease_until = ? WHERE id = ? AND epoch = ?"));
  TRY(row.bind_all(now + by.count(), lease.job, lease.epoch));
  TRY(row.run());
  Lease renewed = lease;
  renewed.until = now + by.count();
  return renewed;
}

Result<> set_phase(sqlite::Transaction& tx, const Lease& lease, std::string_view phase) {
  TRY(held_by(tx, lease));
  sqlite::Statement& row = TRY(tx.statement("UPDATE job SET phase = ? WHERE id = ? AND epoch = ?"));
  TRY(row.bind_all(phase, lease.job, lease.epoch));
  return row.run();
}

Result<> settle(sqlite::Transaction& tx,
                const Lease& lease,
                const Outcome& outcome,
                UnixMillis now,
                int max_attempts) {
  const Held held = TRY(held_by(tx, lease));
  const bool overtaken = TRY(has_newer(tx, held.app, lease.job));
  JobState state = JobState::failed;
  std::int64_t backoff = held.backoff;
  std::string message = outcome.message;
  switch (outcome.ending) {
    case Outcome::Ending::healthy: state = JobState::done; break;
    case Outcome::Ending::superseded:
      state = overtaken ? JobState::superseded : JobState::queued;
      break;
    case Outcome::Ending::failed: state = JobState::failed; break;
    case Outcome::Ending::waiting:
      state = overtaken ? JobState::superseded : JobState::waiting;
      break;
    case Outcome::Ending::retry:
      backoff = next_backoff(held.backoff);
      state = overtaken ? JobState::superseded : JobState::queued;
      if (state == JobState::queued && outcome.code != Errc::unavailable &&
          held.attempt >= max_attempts) {
        state = JobState::poison;
        message = "gave up after " + std::to_string(held.attempt) + " attempts: " + message;
      }
      break;
  }
  const bool over = state != JobState::queued && state != JobState::waiting;
  const bool retried = outcome.ending == Outcome::Ending::retry;
  // A cluster that is away is not the job's fault: it is tried until the cluster is back.
  const int excused = retried && outcome.code == Errc::unavailable ? 1 : 0;
  sqlite::Statement& row =
      TRY(tx.statement("UPDATE job SET state = ?1, message = ?2, backoff = ?3, not_before = ?4, "
                       "finished_at = ?5, worker = NULL,"
                       " lease_until = NULL, phase = '', crashes = 0, attempt = attempt - ?7"
                       " WHERE id = ?6"));
  TRY(row.bind_all(to_string(state), message, backoff, retried ? now + backoff : now,
                   over ? now : 0, lease.job, excused));
  return row.run();
}

Result<int> expire_leases(sqlite::Transaction& tx, std::string_view worker_prefix, UnixMillis now) {
  sqlite::Statement& row =
      TRY(tx.statement("UPDATE job SET lease_until = ?1 WHERE state = 'running' AND substr(worker, "
                       "1, length(?2)) = ?2"));
  TRY(row.bind_all(now, worker_prefix));
  TRY(row.run());
  return static_cast<int>(tx.changes());
}

Result<std::vector<JobId>> superseded_running(sqlite::Connection& db) {
  sqlite::Statement& rows = TRY(db.statement(
      "SELECT id FROM job WHERE state = 'running' AND EXISTS (SELECT 1 FROM job AS newer"
      " WHERE newer.app = job.app AND newer.id > job.id AND newer.state = 'queued')"));
  std::vector<JobId> found;
  while (TRY(rows.step())) found.push_back(rows.integer(0));
  rows.reset();
  return found;
}

Result<std::optional<UnixMillis>> next_due(sqlite::Connection& db) {
  sqlite::Statement& row = TRY(db.statement(
      "SELECT min(due) FROM (SELECT min(not_before) AS due FROM job WHERE state = 'queued' AND NOT "
      "EXISTS"
      " (SELECT 1 FROM job AS busy WHERE busy.app = job.app AND busy.state = 'running')"
      " UNION ALL SELECT min(lease_until) FROM job WHERE state = 'running')"));
  static_cast<void>(TRY(row.step()));
  std::optional<UnixMillis> due;
  if (!row.is_null(0)) due = row.integer(0);
  row.reset();
  return due;
}

}  // namespace plumb::queue
