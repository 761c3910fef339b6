#pragma once
/// The life of one job, one line a stage.
#include <functional>
#include <memory>
#include <string>

#include "apply/cluster.h"
#include "core/job.h"
#include "worker/frames.h"
#include "worker/link.h"

namespace plumb::worker {

/// The clusters this worker can reach. unavailable: not now; invalid: no such cluster.
using ClusterOf = std::function<Result<std::shared_ptr<apply::Cluster>>(const std::string& name,
                                                                        const JobOrder& job)>;

/// Runs the job to an outcome. Every early return is an outcome that settle() records.
Outcome run_job(const JobOrder& job, Link& link, const ClusterOf& cluster_of);

}  // namespace plumb::worker
