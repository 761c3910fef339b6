#pragma once
/// What each application has in its cluster. Written before the call that may create an object.
#include <optional>
#include <string>
#include <vector>

#include "core/application.h"
#include "core/manifest.h"
#include "drivers/sqlite/store.h"

namespace plumb::apply {

[[nodiscard]] sqlite::Component schema();

struct InventoryItem {
  ObjectKey key;
  enum class State { intended, applied } state = State::intended;
  std::string hash;  ///< of the manifest that was last intended or applied
  std::string uid;   ///< "" while intended for the first time
  std::string resource_version;
  int wave = 0;
};

/// Marks that these objects are about to be applied by the application. An object that another
/// application holds is taken over (its row changes owner) only if listed in `take_over`;
/// otherwise conflict, naming the owner.
Result<> intend(sqlite::Transaction& tx,
                const AppId& app,
                const std::vector<InventoryItem>& items,
                const std::vector<std::string>& take_over);
Result<> applied(sqlite::Transaction& tx,
                 const AppId& app,
                 const std::vector<InventoryItem>& items);
Result<> gone(sqlite::Transaction& tx,
              const AppId& app,
              const std::vector<std::string>& identities);

Result<std::vector<InventoryItem>> inventory(sqlite::Connection& db, const AppId& app);
/// Who holds the object on the cluster.
Result<std::optional<AppId>> holder(sqlite::Connection& db,
                                    const std::string& cluster,
                                    const std::string& identity);

/// The identity of the cluster behind a name; set once, compared for ever. conflict: another one.
Result<> bind_cluster_uid(sqlite::Transaction& tx,
                          const std::string& cluster,
                          const std::string& uid);

}  // namespace plumb::apply
