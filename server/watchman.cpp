#include "server/watchman.h"

#include "core/log.h"

namespace plumb::server {
namespace {

using namespace std::chrono_literals;

constexpr auto kSweepEvery = 1h;

}  // namespace

Watchman::Watchman(const config::ServerConfig& config,
                   worker::Ledger& ledger,
                   worker::Planner& planner,
                   SpoolReader& spool)
    : config_(config),
      ledger_(ledger),
      planner_(planner),
      spool_(spool),
      thread_([this](std::stop_token stop) { walk(stop); }) {}

Watchman::~Watchman() {
  thread_.request_stop();
  changed_.notify_all();
}

void Watchman::look_at(const config::RepositoryBinding& binding) {
  const auto read = spool_.read(binding);
  if (!read)
    log::warn("spool.not_read", {{"repository", binding.name}, {"message", read.error().message}});
  const auto seen = planner_.observe(binding, Trigger::scan, system_actor(), "");
  if (!seen)
    log::warn("refs.not_read", {{"repository", binding.name}, {"message", seen.error().message}});
  if (seen && *seen > 0) log::info("refs.found", {{"repository", binding.name}, {"moved", *seen}});
}

void Watchman::walk(const std::stop_token& stop) {
  auto next_sweep = ledger_.clock().steady() + kSweepEvery;
  while (!stop.stop_requested()) {
    for (const auto& binding : config_.repositories) {
      if (stop.stop_requested()) return;
      look_at(binding);
    }
    if (ledger_.clock().steady() >= next_sweep) {
      next_sweep = ledger_.clock().steady() + kSweepEvery;
      queue::Retention keep;
      keep.finished_jobs = keep.events = std::chrono::hours(24 * config_.retention_days);
      if (const auto swept = ledger_.sweep(keep); !swept) {
        log::warn("retention.failed", {{"message", swept.error().message}});
      }
    }
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, config_.scan_interval, [] { return false; });
  }
}

}  // namespace plumb::server
