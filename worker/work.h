#pragma once
/// A worker: takes one job at a time and settles it, until told to stop.
#include <stop_token>

#include "worker/link.h"
#include "worker/run_job.h"

namespace plumb::worker {

void work(Link& link, const ClusterOf& cluster_of, const std::stop_token& stop);

}  // namespace plumb::worker
