#include "core/oid.h"
#include "server/api.h"
#include "server/views.h"

namespace plumb::server {

/// One sentence: why is it as it is?
std::string Api::sentence(const queue::AppRow& row, const Job* job) {
  const std::string name = row.application.id.to_string();
  const auto refusal = parts_.planner.refusal(row.application.repository, row.ref);
  if (row.suspended) {
    return name + " is suspended" +
           (row.suspended_because.empty() ? "" : ": " + row.suspended_because);
  }
  if (!row.held_commit.empty() && (job == nullptr || is_final(job->state))) {
    return name + " was rolled back to " + short_oid(row.applied_commit) + "; " +
           short_oid(row.held_commit) + " is held until a new commit changes it";
  }
  if (job != nullptr) {
    switch (job->state) {
      case JobState::waiting: return name + " waits: " + job->message;
      case JobState::queued:
        return name + " is queued" +
               (job->message.empty() ? "" : " to be tried again: " + job->message);
      case JobState::running: {
        const auto progress = parts_.hub.latest(job->id);
        return name + " is being applied at " + short_oid(job->commit) +
               (progress && !progress->message.empty() ? ": " + progress->message : "");
      }
      case JobState::failed:
      case JobState::poison:
        return name + " failed at " + short_oid(job->commit) + ": " + job->message;
      case JobState::done:
      case JobState::superseded: break;
    }
  }
  if (refusal) {
    for (const Verdict& verdict : refusal->verdicts) {
      if (verdict.effect != Effect::deny) continue;
      return name + " stays at " + short_oid(row.applied_commit) + ": commit " +
             short_oid(refusal->commit) + " was refused: " +
             (verdict.place.file.empty() ? "" : verdict.place.to_string() + ": ") + verdict.message;
    }
  }
  return name + " runs " + short_oid(row.applied_commit) +
         ", the newest commit that changes it, and is " +
         (row.health.empty() ? "unknown" : row.health);
}

std::string Api::next_step(const queue::AppRow& row, const Job* job) {
  const std::string name = row.application.id.to_string();
  if (row.suspended) return "plumb resume " + name;
  if (!row.held_commit.empty() && (job == nullptr || is_final(job->state)))
    return "plumb sync " + name;
  if (job == nullptr) return "";
  if (job->state == JobState::waiting) {
    const std::string sync = "plumb diff " + name + "   then  plumb sync " + name;
    // What is about to be deleted is confirmed for exactly this plan.
    return job->message == "manual sync" ? sync
                                         : sync + " --plan " + job->plan_digest.substr(0, 12);
  }
  if (job->state == JobState::failed || job->state == JobState::poison) return "plumb logs " + name;
  if (job->state == JobState::queued || job->state == JobState::running)
    return "plumb wait " + name;
  return "";
}

}  // namespace plumb::server
