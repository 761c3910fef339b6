#include "worker/progress.h"

namespace plumb::worker {
namespace {
constexpr std::size_t kKept = 10'000;
}

void ProgressHub::publish(Progress progress) {
  {
    const std::scoped_lock lock(mutex_);
    latest_[progress.job] = std::move(progress);
    while (latest_.size() > kKept) latest_.erase(latest_.begin());
    ++version_;
  }
  changed_.notify_all();
}

void ProgressHub::touch() {
  {
    const std::scoped_lock lock(mutex_);
    ++version_;
  }
  changed_.notify_all();
}

std::optional<Progress> ProgressHub::latest(JobId job) const {
  const std::scoped_lock lock(mutex_);
  const auto found = latest_.find(job);
  if (found == latest_.end()) return std::nullopt;
  return found->second;
}

std::uint64_t ProgressHub::version() const {
  const std::scoped_lock lock(mutex_);
  return version_;
}

std::uint64_t ProgressHub::wait_past(std::uint64_t seen, std::chrono::milliseconds timeout) const {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, timeout, [&] { return version_ > seen; });
  return version_;
}

}  // namespace plumb::worker
