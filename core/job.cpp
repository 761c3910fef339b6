#include "core/job.h"

#include <array>

namespace plumb {

std::string_view to_string(JobState state) noexcept {
  switch (state) {
    case JobState::waiting: return "waiting";
    case JobState::queued: return "queued";
    case JobState::running: return "running";
    case JobState::done: return "done";
    case JobState::superseded: return "superseded";
    case JobState::failed: return "failed";
    case JobState::poison: return "poison";
  }
  return "failed";
}

Result<JobState> parse_job_state(std::string_view word) {
  constexpr std::array kAll{JobState::waiting, JobState::queued,     JobState::running,
                            JobState::done,    JobState::superseded, JobState::failed,
                            JobState::poison};
  for (const JobState state : kAll) {
    if (word == to_string(state)) return state;
  }
  return fail(Errc::invalid, "no job state '" + std::string(word) + "'", "",
              "waiting, queued, running, done, superseded, failed or poison");
}

std::string_view to_string(JobKind kind) noexcept {
  switch (kind) {
    case JobKind::sync: return "sync";
    case JobKind::remove: return "remove";
    case JobKind::rollback: return "rollback";
  }
  return "sync";
}

Result<JobKind> parse_job_kind(std::string_view word) {
  for (const JobKind kind : {JobKind::sync, JobKind::remove, JobKind::rollback}) {
    if (word == to_string(kind)) return kind;
  }
  return fail(Errc::invalid, "no job kind '" + std::string(word) + "'");
}

std::string_view to_string(Outcome::Ending ending) noexcept {
  switch (ending) {
    case Outcome::Ending::healthy: return "healthy";
    case Outcome::Ending::superseded: return "superseded";
    case Outcome::Ending::failed: return "failed";
    case Outcome::Ending::retry: return "retry";
    case Outcome::Ending::waiting: return "waiting";
  }
  return "failed";
}

Result<Outcome::Ending> parse_ending(std::string_view word) {
  using Ending = Outcome::Ending;
  for (const Ending ending :
       {Ending::healthy, Ending::superseded, Ending::failed, Ending::retry, Ending::waiting}) {
    if (word == to_string(ending)) return ending;
  }
  return fail(Errc::invalid, "no ending '" + std::string(word) + "'");
}

}  // namespace plumb
