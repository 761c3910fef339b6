#include "queue/queue.h"

namespace plumb::queue {
namespace {

constexpr std::string_view kColumns =
    "project, name, environment, cluster, repository, path, engine, recurse, namespace, sync, "
    "prune, on_delete,"
    " health_timeout, declared_file, declared_line, ref, wanted_commit, wanted_plan, "
    "applied_commit, applied_plan,"
    " applied_at, suspended, suspended_because, held_commit, health, health_message, removed";

AppRow read_app(const sqlite::Statement& row) {
  AppRow app;
  Application& a = app.application;
  a.id = {row.text(0), row.text(1), row.text(2), row.text(3)};
  a.repository = row.text(4);
  a.path = row.text(5);
  if (const auto engine = row.text(6); !engine.empty()) {
    a.engine = engine == to_string(Engine::kustomize) ? Engine::kustomize : Engine::plain;
  }
  a.recurse = row.integer(7) != 0;
  a.ns = row.text(8);
  a.sync = row.text(9) == to_string(SyncMode::manual) ? SyncMode::manual : SyncMode::automatic;
  a.prune = row.integer(10) != 0;
  a.on_delete = row.text(11) == to_string(OnDelete::orphan) ? OnDelete::orphan : OnDelete::cascade;
  a.health_timeout = std::chrono::milliseconds(row.integer(12));
  a.declared_at = {row.text(13), static_cast<int>(row.integer(14)), 0};
  app.ref = row.text(15);
  app.wanted_commit = row.text(16);
  app.wanted_plan = row.text(17);
  app.applied_commit = row.text(18);
  app.applied_plan = row.text(19);
  app.applied_at = row.integer(20);
  app.suspended = row.integer(21) != 0;
  app.suspended_because = row.text(22);
  app.held_commit = row.text(23);
  app.health = row.text(24);
  app.health_message = row.text(25);
  app.removed = row.integer(26) != 0;
  return app;
}

}  // namespace

Result<> save_app(sqlite::Transaction& tx, const AppRow& row) {
  const Application& a = row.application;
  sqlite::Statement& save =
      TRY(tx.statement("INSERT OR REPLACE INTO app (id, project, name, environment, cluster, "
                       "repository, path, engine, recurse,"
                       " namespace, sync, prune, on_delete, health_timeout, declared_file, "
                       "declared_line, ref, wanted_commit,"
                       " wanted_plan, applied_commit, applied_plan, applied_at, suspended, "
                       "suspended_because, held_commit, health,"
                       " health_message, removed)"
                       " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                       "?, ?, ?, ?, ?, ?)"));
  TRY(save.bind_all(a.id.to_string(), a.id.project, a.id.name, a.id.environment, a.id.cluster,
                    a.repository, a.path, a.engine ? to_string(*a.engine) : std::string_view(""),
                    a.recurse, a.ns, to_string(a.sync), a.prune, to_string(a.on_delete),
                    a.health_timeout.count(), a.declared_at.file, a.declared_at.line, row.ref,
                    row.wanted_commit, row.wanted_plan, row.applied_commit, row.applied_plan,
                    row.applied_at, row.suspended, row.suspended_because, row.held_commit,
                    row.health, row.health_message, row.removed));
  return save.run();
}

Result<std::optional<AppRow>> find_app(sqlite::Connection& db, const AppId& id) {
  sqlite::Statement row =
      TRY(db.prepare("SELECT " + std::string(kColumns) + " FROM app WHERE id = ?"));
  TRY(row.bind(1, id.to_string()));
  if (!TRY(row.step())) return std::optional<AppRow>();
  return std::optional<AppRow>(read_app(row));
}

Result<std::vector<AppRow>> apps(sqlite::Connection& db) {
  sqlite::Statement rows =
      TRY(db.prepare("SELECT " + std::string(kColumns) + " FROM app ORDER BY id"));
  std::vector<AppRow> found;
  while (TRY(rows.step())) found.push_back(read_app(rows));
  return found;
}

Result<> forget_app(sqlite::Transaction& tx, const AppId& id) {
  sqlite::Statement& row = TRY(tx.statement("DELETE FROM app WHERE id = ?"));
  TRY(row.bind(1, id.to_string()));
  return row.run();
}

}  // namespace plumb::queue
