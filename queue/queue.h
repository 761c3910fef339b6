#pragma once
/// queue/: the durable hand-over from "a push arrived" to "a worker owns a job".
///
///   In       Event (core/event.h), once per (repository, delivery id)
///   Out      Job (core/job.h): one running job per application, newest commit wins
///   Truth    the tables of queue/sql; ZeroMQ only carries what stands there
///   Life     event: received -> planned (its jobs exist) | ignored (no application, with a note)
///            job: see JobState
///   Threads  functions that take a Transaction run inside Store::write, the others from any thread
///   Errors   conflict: a stale lease; unavailable: the store; invalid: no such row
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/event.h"
#include "core/job.h"
#include "core/plan.h"
#include "drivers/sqlite/store.h"

namespace plumb::queue {

[[nodiscard]] sqlite::Component schema();

// ---- events ----

enum class EventState { received, planned, ignored };

struct StoredEvent {
  EventId id = 0;
  Event event;
  EventState state = EventState::received;
  std::string note;  ///< why it was ignored, or what planning said
};

struct Accepted {
  EventId id = 0;
  bool duplicate = false;
};

/// Stores the event. A repeated (repository, delivery id) returns the first id and changes nothing.
/// `raw` (the delivery's bytes, may be empty) is kept for replay.
Result<Accepted> accept(sqlite::Transaction& tx, const Event& event, std::string_view raw = {});

Result<std::vector<StoredEvent>> unplanned(sqlite::Connection& db, int limit);  ///< oldest first
Result<std::optional<StoredEvent>> find_event(sqlite::Connection& db, EventId id);
/// Newest first.
Result<std::vector<StoredEvent>> events(sqlite::Connection& db,
                                        std::string_view repository,
                                        int limit);

// ---- planning ----

struct NewJob {
  AppId app;
  JobKind kind = JobKind::sync;
  std::string repository;
  std::string ref;
  std::string commit;
  std::string plan_digest;
  std::string waits_because;  ///< not empty: the job starts as `waiting` with this message
  std::string options{};      ///< stored as Job::options
};

/// Ends the planning of an event: marks it, stores its jobs and supersedes the queued and waiting
/// jobs of the same applications. A running one is superseded by whoever holds its lease
/// (see superseded_running). Returns the job ids in the order given. conflict: already planned.
Result<std::vector<JobId>> plan_event(sqlite::Transaction& tx,
                                      EventId event,
                                      const std::vector<NewJob>& jobs,
                                      std::string_view note,
                                      UnixMillis now);

/// Running jobs for whose application a newer job stands ready: they must stop at a safe point.
/// A newer job that only waits (manual sync, suspended, a prune to confirm) stops nobody: until it
/// is let go, what runs is what is wanted.
Result<std::vector<JobId>> superseded_running(sqlite::Connection& db);

/// The last commit of a ref that was planned; nullopt before the first.
Result<std::optional<std::string>> planned_commit(sqlite::Connection& db,
                                                  std::string_view repository,
                                                  std::string_view ref);
Result<> set_planned_commit(sqlite::Transaction& tx,
                            std::string_view repository,
                            std::string_view ref,
                            std::string_view commit);

// ---- jobs ----

struct Claimed {
  Job job;
  Lease lease;
};

/// Leases the oldest ready job whose application has none running, or one whose lease ran out
/// (its epoch grows). A job whose worker vanished `max_attempts` times in a row becomes poison.
Result<std::optional<Claimed>> claim(sqlite::Transaction& tx,
                                     std::string_view worker,
                                     std::chrono::milliseconds lease,
                                     UnixMillis now,
                                     int max_attempts = 5);

/// Proves that the lease is the current one. conflict: it ran out and the job has a newer epoch.
Result<> check(sqlite::Connection& db, const Lease& lease);
Result<Lease> renew(sqlite::Transaction& tx,
                    const Lease& lease,
                    std::chrono::milliseconds by,
                    UnixMillis now);
Result<> set_phase(sqlite::Transaction& tx, const Lease& lease, std::string_view phase);

/// Ends the lease. `retry` puts the job back with decorrelated back-off (0.2 s to 60 s) until
/// `max_attempts`, then it is poison with its reason; attempts that ended `unavailable` do not
/// count, so a cluster that is away never makes poison. `waiting` puts it behind its gate.
Result<> settle(sqlite::Transaction& tx,
                const Lease& lease,
                const Outcome& outcome,
                UnixMillis now,
                int max_attempts = 12);

/// Leases whose worker's name begins with `worker_prefix` run out now: that process is gone. Their
/// jobs are queued again; returns how many.
Result<int> expire_leases(sqlite::Transaction& tx, std::string_view worker_prefix, UnixMillis now);

/// Lets a waiting job go (manual sync, resume). conflict: it does not wait any more.
Result<> release(sqlite::Transaction& tx, JobId job, UnixMillis now);
/// A job that no event asked for (sync, rollback, resume): supersedes like plan_event.
Result<JobId> add_job(sqlite::Transaction& tx, EventId event, const NewJob& job, UnixMillis now);

/// Jobs that became superseded or poison since the last call, in whatever way, oldest first: for
/// the trail. Taken in the transaction that ended them.
Result<std::vector<Job>> take_ended(sqlite::Transaction& tx);

/// When the next queued job or expired lease is due; nullopt: nothing stands ready.
Result<std::optional<UnixMillis>> next_due(sqlite::Connection& db);

struct JobFilter {
  std::optional<AppId> app;
  std::optional<JobState> state;
  std::optional<EventId> event;
  std::string commit;  ///< a prefix; "" = any
  int limit = 100;
};
Result<std::vector<Job>> jobs(sqlite::Connection& db, const JobFilter& filter);  ///< newest first
Result<std::optional<Job>> find_job(sqlite::Connection& db, JobId id);
Result<std::map<JobState, std::int64_t>> job_counts(sqlite::Connection& db);  ///< states that occur

/// A line of a job's log, shown by `plumb logs`. Scrubbed by the caller.
Result<> log_line(sqlite::Transaction& tx, JobId job, UnixMillis at, std::string_view line);
struct LogLine {
  UnixMillis at = 0;
  std::string line;
};
Result<std::vector<LogLine>> log_lines(sqlite::Connection& db, JobId job);

// ---- applications ----

/// What an application should run and what it runs.
struct AppRow {
  Application application;
  std::string ref;
  std::string wanted_commit;  ///< newest planned
  std::string wanted_plan;
  std::string applied_commit;  ///< last one that ended healthy
  std::string applied_plan;
  UnixMillis applied_at = 0;
  bool suspended = false;
  std::string suspended_because;
  std::string held_commit;  ///< rolled back from this one: not applied again by itself
  std::string health;       ///< "healthy", "progressing", "degraded", "unknown", "missing"
  std::string health_message;
  bool removed = false;  ///< left Git; the row stays until its objects are gone
};
Result<> save_app(sqlite::Transaction& tx, const AppRow& row);
Result<std::optional<AppRow>> find_app(sqlite::Connection& db, const AppId& id);
Result<std::vector<AppRow>> apps(sqlite::Connection& db);  ///< sorted by id
Result<> forget_app(sqlite::Transaction& tx, const AppId& id);

// ---- clean-up ----

struct Retention {
  std::chrono::hours finished_jobs{24 * 90};
  std::chrono::hours events{24 * 90};
  int keep_jobs_per_app = 20;  ///< rollback needs them
};
/// Deletes at most `limit` old rows; returns how many.
Result<int> sweep(sqlite::Transaction& tx, const Retention& keep, UnixMillis now, int limit = 1000);

}  // namespace plumb::queue
