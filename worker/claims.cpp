#include "worker/claims.h"

namespace plumb::worker {

void Claims::Table::erase(const AppId& app) {
  const auto found = by_app.find(app);
  if (found == by_app.end()) return;
  auto& objects = by_cluster[app.cluster];
  for (const std::string& identity : found->second) {
    const auto holder = objects.find(identity);
    // A move in one commit sets the new owner before the old one lets go.
    if (holder != objects.end() && holder->second == app) objects.erase(holder);
  }
  by_app.erase(found);
}

void Claims::set(const AppId& app, const std::vector<std::string>& identities) {
  table_.with([&](Table& table) {
    table.erase(app);
    for (const std::string& identity : identities) {
      table.by_cluster[app.cluster].insert_or_assign(identity, app);
    }
    table.by_app[app] = identities;
  });
}

void Claims::drop(const AppId& app) {
  table_.with([&](Table& table) { table.erase(app); });
}

std::optional<AppId> Claims::owner(const std::string& cluster, const std::string& identity) const {
  return table_.with([&](const Table& table) -> std::optional<AppId> {
    const auto objects = table.by_cluster.find(cluster);
    if (objects == table.by_cluster.end()) return std::nullopt;
    const auto found = objects->second.find(identity);
    if (found == objects->second.end()) return std::nullopt;
    return found->second;
  });
}

std::set<std::string> Claims::claimed_elsewhere(const AppId& app,
                                                const std::vector<std::string>& identities) const {
  std::set<std::string> elsewhere;
  for (const std::string& identity : identities) {
    const auto holder = owner(app.cluster, identity);
    if (holder && *holder != app) elsewhere.insert(identity);
  }
  return elsewhere;
}

}  // namespace plumb::worker
