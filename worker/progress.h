#pragma once
/// What running jobs last said, for people who watch. Lost on restart: the database is the truth.
/// Any thread.
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "core/job.h"

namespace plumb::worker {

struct Progress {
  JobId job = 0;
  AppId app;
  std::string phase;  ///< "queued", "apply", "prune", "health", or a JobState at the end
  Counts counts;
  int done = 0;
  int total = 0;
  std::string message;
};

class ProgressHub {
 public:
  void publish(Progress progress);
  /// Something changed that no Progress tells (an event was planned, a job was queued).
  void touch();
  [[nodiscard]] std::optional<Progress> latest(JobId job) const;
  [[nodiscard]] std::uint64_t version() const;
  /// Returns the version once it is past `seen`, or after the timeout.
  std::uint64_t wait_past(std::uint64_t seen, std::chrono::milliseconds timeout) const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::map<JobId, Progress> latest_;  // the newest kKept jobs
  std::uint64_t version_ = 0;
};

}  // namespace plumb::worker
