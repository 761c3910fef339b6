#include "queue/job_rows.h"
#include "queue/queue.h"

namespace plumb::queue {
namespace {

/// Queued and waiting jobs of the application give way. A running one is told by whoever watches
/// it.
Result<> supersede(sqlite::Transaction& tx, const std::string& app, JobId by, UnixMillis now) {
  sqlite::Statement& give_way = TRY(tx.statement(
      "UPDATE job SET state = 'superseded', finished_at = ?1, message = 'superseded by job ' || ?2 "
      "WHERE app = ?3 AND id < ?2 AND state IN ('queued', 'waiting')"));
  TRY(give_way.bind_all(now, by, app));
  return give_way.run();
}

Result<JobId> insert(sqlite::Transaction& tx, EventId event, const NewJob& job, UnixMillis now) {
  sqlite::Statement& row =
      TRY(tx.statement("INSERT INTO job (event, app, kind, repository, ref, commit_id, plan, "
                       "state, created_at, not_before, message,"
                       " options) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  const std::string app = job.app.to_string();
  const bool waits = !job.waits_because.empty();
  TRY(row.bind_all(event, app, to_string(job.kind), job.repository, job.ref, job.commit,
                   job.plan_digest, waits ? "waiting" : "queued", now, now, job.waits_because,
                   job.options));
  TRY(row.run());
  const JobId id = tx.last_insert_id();
  TRY(supersede(tx, app, id, now));
  return id;
}

}  // namespace

Result<Job> read_job(const sqlite::Statement& row) {
  Job job;
  job.id = row.integer(0);
  job.event = row.integer(1);
  job.app = TRY(AppId::parse(row.text(2)));
  job.kind = TRY(parse_job_kind(row.text(3)));
  job.repository = row.text(4);
  job.ref = row.text(5);
  job.commit = row.text(6);
  job.plan_digest = row.text(7);
  job.state = TRY(parse_job_state(row.text(8)));
  job.attempt = static_cast<int>(row.integer(9));
  job.created_at = row.integer(10);
  job.not_before = row.integer(11);
  job.finished_at = row.integer(12);
  job.phase = row.text(13);
  job.message = row.text(14);
  job.options = row.text(15);
  return job;
}

Result<std::vector<Job>> read_jobs(sqlite::Statement& rows) {
  std::vector<Job> found;
  while (TRY(rows.step())) found.push_back(TRY(read_job(rows)));
  rows.reset();
  return found;
}

Result<std::vector<JobId>> plan_event(sqlite::Transaction& tx,
                                      EventId event,
                                      const std::vector<NewJob>& jobs,
                                      std::string_view note,
                                      UnixMillis now) {
  sqlite::Statement& mark =
      TRY(tx.statement("UPDATE event SET state = ?, note = ? WHERE id = ? AND state = 'received'"));
  TRY(mark.bind_all(jobs.empty() ? "ignored" : "planned", note, event));
  TRY(mark.run());
  if (tx.changes() != 1)
    return fail(Errc::conflict, "event " + std::to_string(event) + " was planned before");
  std::vector<JobId> ids;
  for (const NewJob& job : jobs) ids.push_back(TRY(insert(tx, event, job, now)));
  return ids;
}

Result<JobId> add_job(sqlite::Transaction& tx, EventId event, const NewJob& job, UnixMillis now) {
  return insert(tx, event, job, now);
}

Result<> release(sqlite::Transaction& tx, JobId job, UnixMillis now) {
  sqlite::Statement& row =
      TRY(tx.statement("UPDATE job SET state = 'queued', not_before = ?, message = '' WHERE id = ? "
                       "AND state = 'waiting'"));
  TRY(row.bind_all(now, job));
  TRY(row.run());
  if (tx.changes() != 1)
    return fail(Errc::conflict, "job " + std::to_string(job) + " does not wait any more");
  return {};
}

Result<std::vector<Job>> jobs(sqlite::Connection& db, const JobFilter& filter) {
  // One text per combination, so that each uses its index.
  std::string sql = "SELECT " + std::string(kJobColumns) + " FROM job WHERE 1";
  if (filter.app) sql += " AND app = ?1";
  if (filter.state) sql += " AND state = ?2";
  if (filter.event) sql += " AND event = ?3";
  if (!filter.commit.empty()) sql += " AND commit_id >= ?4 AND commit_id < ?4 || 'g'";
  sql += " ORDER BY id DESC LIMIT ?5";
  sqlite::Statement rows = TRY(db.prepare(sql));
  if (filter.app) TRY(rows.bind(1, filter.app->to_string()));
  if (filter.state) TRY(rows.bind(2, to_string(*filter.state)));
  if (filter.event) TRY(rows.bind(3, *filter.event));
  if (!filter.commit.empty()) TRY(rows.bind(4, filter.commit));
  TRY(rows.bind(5, filter.limit));
  return read_jobs(rows);
}

Result<std::optional<Job>> find_job(sqlite::Connection& db, JobId id) {
  sqlite::Statement rows =
      TRY(db.prepare("SELECT " + std::string(kJobColumns) + " FROM job WHERE id = ?"));
  TRY(rows.bind(1, id));
  auto found = TRY(read_jobs(rows));
  if (found.empty()) return std::optional<Job>();
  return std::optional<Job>(std::move(found.front()));
}

Result<std::vector<Job>> take_ended(sqlite::Transaction& tx) {
  sqlite::Statement rows =
      TRY(tx.prepare("SELECT " + std::string(kJobColumns) +
                     " FROM job_ended_aside JOIN job ON id = job ORDER BY id"));
  auto ended = TRY(read_jobs(rows));
  if (!ended.empty()) TRY(tx.exec("DELETE FROM job_ended_aside"));
  return ended;
}

Result<std::map<JobState, std::int64_t>> job_counts(sqlite::Connection& db) {
  sqlite::Statement rows = TRY(db.prepare("SELECT state, count(*) FROM job GROUP BY state"));
  std::map<JobState, std::int64_t> counts;
  while (TRY(rows.step())) counts[TRY(parse_job_state(rows.text(0)))] = rows.integer(1);
  return counts;
}

Result<> log_line(sqlite::Transaction& tx, JobId job, UnixMillis at, std::string_view line) {
  sqlite::Statement& row =
      TRY(tx.statement("INSERT INTO job_log (job, at, line) VALUES (?, ?, ?)"));
  TRY(row.bind_all(job, at, line));
  return row.run();
}

Result<std::vector<LogLine>> log_lines(sqlite::Connection& db, JobId job) {
  sqlite::Statement& rows =
      TRY(db.statement("SELECT at, line FROM job_log WHERE job = ? ORDER BY rowid LIMIT 10000"));
  TRY(rows.bind(1, job));
  std::vector<LogLine> lines;
  while (TRY(rows.step())) lines.push_back({rows.integer(0), rows.text(1)});
  rows.reset();
  return lines;
}

}  // namespace plumb::queue
