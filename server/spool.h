#pragma once
/// Reads the spool records that the reference-transaction hooks leave in a repository
/// (docs/formats.md "Spool record") and turns them into events. Every record is a hint.
#include <set>
#include <string>

#include "config/server_config.h"
#include "core/guarded.h"
#include "worker/planner.h"

namespace plumb::server {

class SpoolReader {
 public:
  SpoolReader(worker::Ledger& ledger, worker::Planner& planner)
      : ledger_(ledger), planner_(planner) {}

  /// Accepts an event for each finished record and removes it once that is durable. Returns how
  /// many were new. A folder that is not there is an empty one. An error is the store's: what was
  /// not accepted stays. Any thread.
  Result<int> read(const config::RepositoryBinding& binding);

 private:
  Result<bool> take(const config::RepositoryBinding& binding,
                    const std::string& path,
                    const std::string& name);

  bool done_with(const std::string& path, bool fresh);

  worker::Ledger& ledger_;
  worker::Planner& planner_;
  Guarded<std::set<std::string>> taken_;  // records that could not be removed
};

}  // namespace plumb::server
