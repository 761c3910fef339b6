#include "worker/work.h"

#include <exception>

#include "core/log.h"

namespace plumb::worker {
namespace {

/// Runs one job to an outcome. Holds the only `catch` in worker/: a bug in a stage, or a library
/// that throws, costs one attempt and never the process.
Outcome attempt(const JobOrder& job, Link& link, const ClusterOf& cluster_of) {
  try {
    return run_job(job, link, cluster_of);
  } catch (const std::exception& bug) {
    return {Outcome::Ending::retry, Errc::fault, std::string("a bug: ") + bug.what(), {}};
  }
}

}  // namespace

void work(Link& link, const ClusterOf& cluster_of, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto job = link.next_job(stop);
    if (!job) return;
    WorkerCall settle;
    settle.outcome = attempt(*job, link, cluster_of);
    if (settle.outcome.ending == Outcome::Ending::superseded &&
        link.stop_reason() != "superseded") {
      // Stopped for another reason (shutdown, lease): the job is not over.
      settle.outcome.ending = Outcome::Ending::retry;
      settle.outcome.code = Errc::unavailable;
      settle.outcome.message =
          link.stop_reason().empty() ? "the worker stopped" : link.stop_reason();
    }
    if (const auto settled = link.call("SETTLE", std::move(settle)); !settled) {
      log::warn("job.not_settled", {{"job", job->job.id}, {"message", settled.error().message}});
    }
    link.job_ended();
  }
}

}  // namespace plumb::worker
