#pragma once
/// What must be done, by whom, and how it ended.
#include <cstdint>
#include <string>
#include <string_view>

#include "core/application.h"
#include "core/clock.h"
#include "core/event.h"
#include "core/result.h"

namespace plumb {

using EventId = std::int64_t;
using JobId = std::int64_t;

/// The words stored in the database.
enum class JobState {
  waiting,     ///< a gate holds it (manual sync, suspended): a person lets it go
  queued,      ///< ready from `not_before` on
  running,     ///< leased to one worker
  done,        ///< applied and healthy
  superseded,  ///< a newer job of the same application took its place
  failed,      ///< a permanent error: not tried again; the next commit gets a fresh chance
  poison,      ///< crashed its worker or ran out of attempts; kept with its reason
};
[[nodiscard]] std::string_view to_string(JobState state) noexcept;
[[nodiscard]] Result<JobState> parse_job_state(std::string_view word);

enum class JobKind { sync, remove, rollback };
[[nodiscard]] std::string_view to_string(JobKind kind) noexcept;
[[nodiscard]] Result<JobKind> parse_job_kind(std::string_view word);

struct Job {
  JobId id = 0;
  EventId event = 0;
  AppId app;
  JobKind kind = JobKind::sync;
  std::string repository;
  std::string ref;
  std::string commit;
  std::string plan_digest;
  JobState state = JobState::queued;
  int attempt = 0;  ///< started attempts so far
  UnixMillis created_at = 0;
  UnixMillis not_before = 0;
  UnixMillis finished_at = 0;  ///< 0: not finished
  std::string phase;           ///< last reported: "queued", "applying 2/3", "health", ...
  std::string message;         ///< why it waits, failed or was superseded
  std::string options;  ///< what a person allowed: "prune-confirmed", "reapply", comma-separated
};

/// The right to work on a job until `until`. `epoch` fences: every write names it, and a stale
/// epoch is refused with `conflict`.
struct Lease {
  JobId job = 0;
  std::int64_t epoch = 0;
  std::string worker;
  UnixMillis until = 0;
};

struct Counts {
  int created = 0;
  int configured = 0;
  int unchanged = 0;
  int pruned = 0;
};

/// How an attempt ended.
struct Outcome {
  enum class Ending { healthy, superseded, failed, retry, waiting };
  Ending ending = Ending::failed;
  Errc code = Errc::fault;  ///< with failed and retry
  std::string message;      ///< scrubbed
  Counts counts;
};
[[nodiscard]] std::string_view to_string(Outcome::Ending ending) noexcept;
[[nodiscard]] Result<Outcome::Ending> parse_ending(std::string_view word);

}  // namespace plumb
