#include "apply/inventory.h"

#include <algorithm>

#include "apply_sql.h"

namespace plumb::apply {
namespace {

/// Text of the holding application; "" when nobody holds the object.
Result<std::string> holder_text(sqlite::Connection& db,
                                const std::string& cluster,
                                const std::string& identity) {
  sqlite::Statement& row =
      TRY(db.statement("SELECT app FROM inventory WHERE cluster = ? AND identity = ?"));
  TRY(row.bind_all(cluster, identity));
  const std::string found = TRY(row.step()) ? row.text(0) : std::string();
  row.reset();
  return found;
}

/// The uid of an object that is known stays until `applied` says another: it guards its deletion.
Result<> store_intent(sqlite::Transaction& tx, const AppId& app, const InventoryItem& item) {
  sqlite::Statement& row = TRY(tx.statement(
      "INSERT INTO inventory (cluster, identity, app, api_version, kind, namespace, name, state,"
      " hash, uid, resource_version, wave)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, 'intended', ?, ?, ?, ?)"
      " ON CONFLICT (cluster, identity) DO UPDATE SET app = excluded.app,"
      " api_version = excluded.api_version, state = 'intended', hash = excluded.hash,"
      " uid = CASE excluded.uid WHEN '' THEN uid ELSE excluded.uid END, wave = excluded.wave"));
  TRY(row.bind_all(app.cluster, item.key.identity(), app.to_string(), item.key.api_version,
                   item.key.kind, item.key.ns, item.key.name, item.hash, item.uid,
                   item.resource_version, item.wave));
  return row.run();
}

}  // namespace

sqlite::Component schema() {
  return {"inventory", {sql::_0001_inventory_sql}};
}

Result<> intend(sqlite::Transaction& tx,
                const AppId& app,
                const std::vector<InventoryItem>& items,
                const std::vector<std::string>& take_over) {
  const std::string us = app.to_string();
  for (const InventoryItem& item : items) {
    const std::string identity = item.key.identity();
    const std::string owner = TRY(holder_text(tx, app.cluster, identity));
    const bool ours = owner.empty() || owner == us;
    if (!ours && std::find(take_over.begin(), take_over.end(), identity) == take_over.end()) {
      return fail(Errc::conflict,
                  item.key.title() + " on cluster '" + app.cluster + "' belongs to '" + owner + "'",
                  "", "remove it from one of the two applications");
    }
    TRY(store_intent(tx, app, item));
  }
  return {};
}

Result<> applied(sqlite::Transaction& tx,
                 const AppId& app,
                 const std::vector<InventoryItem>& items) {
  for (const InventoryItem& item : items) {
    sqlite::Statement& row = TRY(
        tx.statement("UPDATE inventory SET state = 'applied', api_version = ?1, hash = ?2,"
                     " uid = CASE ?3 WHEN '' THEN uid ELSE ?3 END, resource_version = ?4, wave = ?5"
                     " WHERE cluster = ?6 AND identity = ?7 AND app = ?8"));
    TRY(row.bind_all(item.key.api_version, item.hash, item.uid, item.resource_version, item.wave,
                     app.cluster, item.key.identity(), app.to_string()));
    TRY(row.run());
    if (tx.changes() != 1) {
      return fail(Errc::conflict, item.key.title() + " on cluster '" + app.cluster +
                                      "' is not held by '" + app.to_string() + "' any more");
    }
  }
  return {};
}

Result<> gone(sqlite::Transaction& tx,
              const AppId& app,
              const std::vector<std::string>& identities) {
  for (const std::string& identity : identities) {
    sqlite::Statement& row =
        TRY(tx.statement("DELETE FROM inventory WHERE cluster = ? AND identity = ? AND app = ?"));
    TRY(row.bind_all(app.cluster, identity, app.to_string()));
    TRY(row.run());
  }
  return {};
}

Result<std::vector<InventoryItem>> inventory(sqlite::Connection& db, const AppId& app) {
  sqlite::Statement& rows = TRY(db.statement(
      "SELECT api_version, kind, namespace, name, state, hash, uid, resource_version, wave"
      " FROM inventory WHERE app = ? ORDER BY identity"));
  TRY(rows.bind(1, app.to_string()));
  std::vector<InventoryItem> items;
  while (TRY(rows.step())) {
    InventoryItem item;
    item.key = {rows.text(0), rows.text(1), rows.text(2), rows.text(3)};
    item.state =
        rows.text(4) == "applied" ? InventoryItem::State::applied : InventoryItem::State::intended;
    item.hash = rows.text(5);
    item.uid = rows.text(6);
    item.resource_version = rows.text(7);
    item.wave = static_cast<int>(rows.integer(8));
    items.push_back(std::move(item));
  }
  rows.reset();
  return items;
}

Result<std::optional<AppId>> holder(sqlite::Connection& db,
                                    const std::string& cluster,
                                    const std::string& identity) {
  const std::string found = TRY(holder_text(db, cluster, identity));
  if (found.empty()) return std::optional<AppId>();
  return std::optional<AppId>(TRY(AppId::parse(found)));
}

Result<> bind_cluster_uid(sqlite::Transaction& tx,
                          const std::string& cluster,
                          const std::string& uid) {
  if (uid.empty()) return fail(Errc::invalid, "cluster '" + cluster + "' has no uid");
  sqlite::Statement& store = TRY(tx.statement(
      "INSERT INTO cluster_uid (cluster, uid) VALUES (?, ?) ON CONFLICT (cluster) DO NOTHING"));
  TRY(store.bind_all(cluster, uid));
  TRY(store.run());
  sqlite::Statement& row = TRY(tx.statement("SELECT uid FROM cluster_uid WHERE cluster = ?"));
  TRY(row.bind(1, cluster));
  const std::string bound = TRY(row.step()) ? row.text(0) : std::string();
  row.reset();
  if (bound == uid) return {};
  return fail(Errc::conflict,
              "behind the name '" + cluster +
                  "' is another cluster than before (kube-system uid '" + uid + "', was '" + bound +
                  "')",
              "", "point its kubeconfig back, or give the new cluster a name of its own");
}

}  // namespace plumb::apply
