#pragma once
/// Walks its round: reads spools and refs of every repository at start and at an interval, so that
/// nothing missed stays missed, and sweeps what retention lets go.
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "config/server_config.h"
#include "server/spool.h"
#include "worker/ledger.h"
#include "worker/planner.h"

namespace plumb::server {

class Watchman {
 public:
  Watchman(const config::ServerConfig& config,
           worker::Ledger& ledger,
           worker::Planner& planner,
           SpoolReader& spool);
  ~Watchman();

 private:
  void walk(const std::stop_token& stop);
  void look_at(const config::RepositoryBinding& binding);

  const config::ServerConfig& config_;
  worker::Ledger& ledger_;
  worker::Planner& planner_;
  SpoolReader& spool_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::jthread thread_;  // last
};

}  // namespace plumb::server
