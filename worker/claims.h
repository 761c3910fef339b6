#pragma once
/// Which application's newest plan holds an object: what decides between prune and hand-over.
/// Rebuilt from the plans at start. Any thread.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/application.h"
#include "core/guarded.h"

namespace plumb::worker {

class Claims {
 public:
  /// Replaces what `app` claims on its cluster.
  void set(const AppId& app, const std::vector<std::string>& identities);
  void drop(const AppId& app);

  [[nodiscard]] std::optional<AppId> owner(const std::string& cluster,
                                           const std::string& identity) const;
  /// Those of `identities` that another application than `app` claims on app's cluster.
  [[nodiscard]] std::set<std::string> claimed_elsewhere(
      const AppId& app, const std::vector<std::string>& identities) const;

 private:
  struct Table {
    std::map<AppId, std::vector<std::string>> by_app;
    std::map<std::string, std::unordered_map<std::string, AppId>> by_cluster;
    void erase(const AppId& app);
  };
  Guarded<Table> table_;
};

}  // namespace plumb::worker
