#include "plan/plan_store.h"

#include <unordered_set>

#include "plan_sql.h"
#include <nlohmann/json.hpp>
#include <zstd.h>

#include "core/text.h"
#include "drivers/crypto/crypto.h"
#include "drivers/json/fields.h"
#include "drivers/json/json.h"

namespace plumb::plan {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxBlob = 64U << 20U;  // unpacked
constexpr int kRendersPerApp = 32;            // a revert finds its render among the last ones

Result<std::string> packed(std::string_view bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const std::size_t size =
      ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), ZSTD_CLEVEL_DEFAULT);
  if (ZSTD_isError(size) != 0)
    return fail(Errc::fault, "compress: " + std::string(ZSTD_getErrorName(size)));
  out.resize(size);
  return out;
}

Result<std::string> unpacked(std::string_view bytes) {
  const auto size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (size > kMaxBlob)
    return fail(Errc::conflict, "a stored object is damaged: its size makes no sense");
  std::string out(size, '\0');
  const std::size_t made = ZSTD_decompress(out.data(), out.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(made) != 0 || made != size) {
    return fail(Errc::conflict, "a stored object is damaged and cannot be unpacked");
  }
  return out;
}

/// The project's key itself only keys hashes.
std::string sealing_key(const ProjectKey& key) {
  return crypto::hmac_sha256(key.bytes(), "plumbline plan blob seal 1");
}

// ---- application as JSON ----

std::string write_application(const Application& app) {
  return json::canonical(Json{
      {"id", app.id.to_string()},
      {"repository", app.repository},
      {"path", app.path},
      {"engine", app.engine ? std::string(to_string(*app.engine)) : std::string()},
      {"recurse", app.recurse},
      {"namespace", app.ns},
      {"sync", std::string(to_string(app.sync))},
      {"prune", app.prune},
      {"on_delete", std::string(to_string(app.on_delete))},
      {"health_timeout", app.health_timeout.count()},
      {"file", app.declared_at.file},
      {"line", app.declared_at.line},
      {"column", app.declared_at.column},
  });
}

Result<Application> read_application(const std::string& text) {
  const Json v = TRY(json::parse(text));
  Application app;
  app.id = TRY(AppId::parse(json::text(v, "id")));
  app.repository = json::text(v, "repository");
  app.path = json::text(v, "path");
  if (const std::string engine = json::text(v, "engine"); !engine.empty()) {
    app.engine = engine == to_string(Engine::kustomize) ? Engine::kustomize : Engine::plain;
  }
  app.recurse = json::flag(v, "recurse");
  app.ns = json::text(v, "namespace");
  app.sync =
      json::text(v, "sync") == to_string(SyncMode::manual) ? SyncMode::manual : SyncMode::automatic;
  app.prune = json::flag(v, "prune");
  app.on_delete = json::text(v, "on_delete") == to_string(OnDelete::orphan) ? OnDelete::orphan
                                                                            : OnDelete::cascade;
  app.health_timeout = std::chrono::milliseconds(json::number(v, "health_timeout"));
  app.declared_at = {json::text(v, "file"), static_cast<int>(json::number(v, "line")),
                     static_cast<int>(json::number(v, "column"))};
  return app;
}

// ---- blobs ----

/// The bytes are what the hash says, or the caller must plan again.
Result<std::string> open_blob(const std::string& body,
                              const std::string& hash,
                              bool sealed,
                              const ProjectKey& key) {
  std::string bytes;
  if (sealed) {
    auto opened = crypto::open(sealing_key(key), body, hash);
    if (!opened)
      return fail(Errc::conflict, "a stored secret object is damaged or sealed under another key");
    bytes = TRY(unpacked(*opened));
  } else {
    bytes = TRY(unpacked(body));
  }
  if (content_hash(bytes, sealed, key) != hash)
    return fail(Errc::conflict, "a stored object does not match its hash");
  return bytes;
}

/// Is the object's content stored, and can it be read back?
Result<bool> has_blob(sqlite::Transaction& tx, const Manifest& object, const ProjectKey& key) {
  sqlite::Statement& row = TRY(tx.statement("SELECT sealed, body FROM plan_blob WHERE hash = ?"));
  TRY(row.bind(1, object.hash));
  const bool found = TRY(row.step());
  const bool sealed = found && row.integer(0) != 0;
  const std::string body = found ? row.blob(1) : std::string();
  row.reset();
  return found && sealed == object.tainted && open_blob(body, object.hash, sealed, key).has_value();
}

/// One that is damaged is written anew: nobody but who renders it again can mend it.
Result<> save_blob(sqlite::Transaction& tx, const Manifest& object, const ProjectKey& key) {
  if (TRY(has_blob(tx, object, key))) return {};
  std::string body = TRY(packed(object.json));
  if (object.tainted) body = TRY(crypto::seal(sealing_key(key), body, object.hash));
  sqlite::Statement& row =
      TRY(tx.statement("INSERT OR REPLACE INTO plan_blob (hash, sealed, body) VALUES (?, ?, ?)"));
  TRY(row.bind_all(object.hash, object.tainted));
  TRY(row.bind_blob(3, body));
  return row.run();
}

Result<> save_object(sqlite::Transaction& tx,
                     const std::string& digest,
                     std::size_t position,
                     const Manifest& object) {
  sqlite::Statement& row = TRY(tx.statement(
      "INSERT INTO plan_object (digest, position, hash, api_version, kind, namespace, name,"
      " place_file, place_line, place_column) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  TRY(row.bind_all(digest, position, object.hash, object.key.api_version, object.key.kind,
                   object.key.ns, object.key.name, object.place.file, object.place.line,
                   object.place.column));
  return row.run();
}

Result<std::vector<Manifest>> load_objects(sqlite::Connection& db,
                                           const std::string& digest,
                                           const ProjectKey& key) {
  sqlite::Statement& rows = TRY(db.statement(
      "SELECT o.hash, o.api_version, o.kind, o.namespace, o.name, o.place_file, o.place_line,"
      " o.place_column, b.sealed, b.body FROM plan_object AS o LEFT JOIN plan_blob AS b"
      " ON b.hash = o.hash WHERE o.digest = ? ORDER BY o.position"));
  TRY(rows.bind(1, digest));
  std::vector<Manifest> objects;
  while (TRY(rows.step())) {
    Manifest object;
    object.hash = rows.text(0);
    object.key = {rows.text(1), rows.text(2), rows.text(3), rows.text(4)};
    object.place = {rows.text(5), static_cast<int>(rows.integer(6)),
                    static_cast<int>(rows.integer(7))};
    if (rows.is_null(9))
      return fail(Errc::conflict, "the stored content of " + object.key.title() + " is missing");
    object.tainted = rows.integer(8) != 0;
    object.json =
        TRY_DOING(object.key.title(), open_blob(rows.blob(9), object.hash, object.tainted, key));
    objects.push_back(std::move(object));
  }
  rows.reset();
  return objects;
}

// ---- closures ----

std::string write_closure(const Closure& closure) {
  std::string text;
  for (const ClosureEntry& entry : closure) {
    text += std::string(to_string(entry.looked)) + '\0' + entry.path + '\0' + entry.value + '\0';
  }
  return text;
}

Result<Looked> parse_looked(std::string_view word) {
  for (const Looked looked :
       {Looked::file, Looked::listing, Looked::absent, Looked::folder, Looked::link}) {
    if (word == to_string(looked)) return looked;
  }
  return fail(Errc::conflict, "a stored closure is damaged");
}

Result<Closure> read_closure(const std::string& text) {
  const std::vector<std::string> parts = split(text, '\0');  // one empty part at the end
  Closure closure;
  for (std::size_t i = 0; i + 2 < parts.size(); i += 3) {
    const Looked looked = TRY(parse_looked(parts[i]));
    closure.push_back({looked, parts[i + 1], parts[i + 2]});
  }
  return closure;
}

// ---- sweeping ----

Result<std::vector<std::string>> texts(sqlite::Statement& rows) {
  std::vector<std::string> found;
  while (TRY(rows.step())) found.push_back(rows.text(0));
  rows.reset();
  return found;
}

Result<> drop_plan(sqlite::Transaction& tx, const std::string& digest) {
  sqlite::Statement& used =
      TRY(tx.statement("SELECT DISTINCT hash FROM plan_object WHERE digest = ?"));
  TRY(used.bind(1, digest));
  const auto hashes = TRY(texts(used));
  for (const std::string_view sql :
       {"DELETE FROM plan_render WHERE digest = ?", "DELETE FROM plan_object WHERE digest = ?",
        "DELETE FROM plan WHERE digest = ?"}) {
    sqlite::Statement& row = TRY(tx.statement(sql));
    TRY(row.bind(1, digest));
    TRY(row.run());
  }
  for (const std::string& hash : hashes) {
    sqlite::Statement& blob =
        TRY(tx.statement("DELETE FROM plan_blob WHERE hash = ?1 AND NOT EXISTS (SELECT 1 FROM "
                         "plan_object WHERE hash = ?1)"));
    TRY(blob.bind(1, hash));
    TRY(blob.run());
  }
  return {};
}

}  // namespace

sqlite::Component schema() {
  return {"plan", {sql::_0001_plans_sql}};
}

Result<> save_plan(sqlite::Transaction& tx,
                   const Plan& plan,
                   const ProjectKey& key,
                   UnixMillis now) {
  sqlite::Statement& known = TRY(tx.statement(
      "UPDATE plan SET application = ?2, commit_id = ?3, remove_application = ?4, saved_at = ?5"
      " WHERE digest = ?1"));
  const std::string application = write_application(plan.application);
  TRY(known.bind_all(plan.digest, application, plan.commit, plan.remove_application, now));
  TRY(known.run());
  if (tx.changes() != 0) {
    for (const Manifest& object : plan.objects) TRY(save_blob(tx, object, key));
    return {};
  }
  sqlite::Statement& row = TRY(
      tx.statement("INSERT INTO plan (digest, application, commit_id, remove_application, saved_at)"
                   " VALUES (?, ?, ?, ?, ?)"));
  TRY(row.bind_all(plan.digest, application, plan.commit, plan.remove_application, now));
  TRY(row.run());
  for (std::size_t i = 0; i < plan.objects.size(); ++i) {
    TRY(save_blob(tx, plan.objects[i], key));
    TRY(save_object(tx, plan.digest, i, plan.objects[i]));
  }
  return {};
}

Result<Plan> load_plan(sqlite::Connection& db, const std::string& digest, const ProjectKey& key) {
  sqlite::Statement& row = TRY(
      db.statement("SELECT application, commit_id, remove_application FROM plan WHERE digest = ?"));
  TRY(row.bind(1, digest));
  if (!TRY(row.step())) {
    row.reset();
    return fail(Errc::invalid, "no plan '" + printable(digest, 64) + "' is stored (any more)", "",
                "push again or sync to make a new one");
  }
  Plan plan;
  plan.digest = digest;
  const std::string application = row.text(0);
  plan.commit = row.text(1);
  plan.remove_application = row.integer(2) != 0;
  row.reset();
  plan.application = TRY(read_application(application));
  plan.objects = TRY(load_objects(db, digest, key));
  return plan;
}

Result<> remember_render(sqlite::Transaction& tx,
                         const AppId& app,
                         const std::string& parameters_hash,
                         const CachedRender& render,
                         UnixMillis now) {
  const std::string closure = write_closure(render.closure);
  sqlite::Statement& row = TRY(tx.statement(
      "INSERT OR REPLACE INTO plan_render (app, parameters, closure_id, digest, saved_at, closure)"
      " VALUES (?, ?, ?, ?, ?, ?)"));
  TRY(row.bind_all(app.to_string(), parameters_hash, crypto::sha256_hex(closure),
                   render.plan_digest, now));
  const std::string body = TRY(packed(closure));
  TRY(row.bind_blob(6, body));
  TRY(row.run());
  sqlite::Statement& old =
      TRY(tx.statement("DELETE FROM plan_render WHERE app = ?1 AND id NOT IN"
                       " (SELECT id FROM plan_render WHERE app = ?1 ORDER BY id DESC LIMIT ?2)"));
  TRY(old.bind_all(app.to_string(), kRendersPerApp));
  return old.run();
}

Result<std::vector<CachedRender>> remembered(sqlite::Connection& db,
                                             const AppId& app,
                                             const std::string& parameters_hash,
                                             int limit) {
  sqlite::Statement& rows =
      TRY(db.statement("SELECT digest, closure FROM plan_render WHERE app = ? AND parameters = ?"
                       " ORDER BY id DESC LIMIT ?"));
  TRY(rows.bind_all(app.to_string(), parameters_hash, limit));
  std::vector<CachedRender> found;
  while (TRY(rows.step())) {
    // A damaged entry of a cache is none: the render is made again.
    const auto text = unpacked(rows.blob(1));
    if (!text) continue;
    auto closure = read_closure(*text);
    if (closure) found.push_back({rows.text(0), *std::move(closure)});
  }
  rows.reset();
  return found;
}

Result<int> sweep_plans(sqlite::Transaction& tx,
                        const std::vector<std::string>& keep,
                        UnixMillis before,
                        int limit) {
  const std::unordered_set<std::string> kept(keep.begin(), keep.end());
  sqlite::Statement& old =
      TRY(tx.statement("SELECT digest FROM plan WHERE saved_at < ? ORDER BY saved_at"));
  TRY(old.bind(1, before));
  int swept = 0;
  for (const std::string& digest : TRY(texts(old))) {
    if (swept == limit) break;
    if (kept.contains(digest)) continue;
    TRY(drop_plan(tx, digest));
    ++swept;
  }
  return swept;
}

}  // namespace plumb::plan
