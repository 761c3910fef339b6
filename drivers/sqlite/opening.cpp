#include "drivers/sqlite/opening.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace plumb::sqlite {
namespace {

Result<std::int64_t> version_of(Connection& db, const std::string& component) {
  Statement& found = TRY(db.statement("SELECT version FROM component_version WHERE component = ?"));
  TRY(found.bind(1, component));
  const bool row = TRY(found.step());
  const std::int64_t version = row ? found.integer(0) : 0;
  found.reset();
  return version;
}

Error newer(const std::string& what) {
  return Error{Errc::invalid, "the database was written by a newer Plumbline (" + what + ")", "",
               "install that version again, or restore a backup made before the upgrade"};
}

Result<> migrate(Connection& db, const Component& component) {
  const std::int64_t version = TRY(version_of(db, component.name));
  const auto newest = static_cast<std::int64_t>(component.migrations.size());
  if (version > newest) {
    return Failure(newer(component.name + " " + std::to_string(version) + ", this one knows " +
                         std::to_string(newest)));
  }
  for (std::int64_t next = version; next < newest; ++next) {
    TRY(db.exec(component.migrations[static_cast<std::size_t>(next)]));
    Statement& stored =
        TRY(db.statement("INSERT INTO component_version (component, version) VALUES (?, ?) "
                         "ON CONFLICT (component) DO UPDATE SET version = excluded.version"));
    TRY(stored.bind_all(component.name, next + 1));
    TRY(stored.run());
  }
  return {};
}

/// Tables that only a newer version can have made are none that we could keep right.
Result<> refuse_unknown(Connection& db, const std::vector<Component>& components) {
  Statement& rows = TRY(db.statement("SELECT component FROM component_version"));
  while (TRY(rows.step())) {
    const std::string name = rows.text(0);
    const bool known =
        std::any_of(components.begin(), components.end(),
                    [&](const Component& component) { return component.name == name; });
    if (!known) return Failure(newer("it has '" + name + "', which this one does not know"));
  }
  rows.reset();
  return {};
}

}  // namespace

Result<> migrate_all(Connection& db, const std::vector<Component>& components) {
  TRY(
      db.exec("BEGIN IMMEDIATE;"
              "CREATE TABLE IF NOT EXISTS component_version ("
              "  component TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT;"));
  Result<> made = refuse_unknown(db, components);
  for (const Component& component : components) {
    if (made) made = migrate(db, component);
  }
  if (made) return db.exec("COMMIT");
  db.reset_statements();
  static_cast<void>(db.exec("ROLLBACK"));
  return made;
}

/// Made by us, so that nobody else can read it from the first byte on; SQLite gives its log the
/// same rights.
Result<> make_private(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return fail(Errc::fault, "database '" + path + "' cannot be opened: " + std::strerror(errno));
  }
  ::close(fd);
  return {};
}

Result<> check_pages(Connection& db, const std::string& path) {
  Statement check = TRY(db.prepare("PRAGMA quick_check(1)"));
  static_cast<void>(TRY(check.step()));
  if (check.text(0) == "ok") return {};
  return fail(Errc::fault, "database '" + path + "' is damaged: " + check.text(0), "",
              "stop plumbd, keep the file, and restore the last backup");
}

// secure_delete: what retention or a person removed is not readable in free pages.
Result<> set_up_writer(Connection& db) {
  Statement mode = TRY(db.prepare("PRAGMA journal_mode=WAL"));
  static_cast<void>(TRY(mode.step()));
  if (mode.text(0) != "wal") {
    return fail(Errc::fault, "the file system of the data folder cannot hold a write-ahead log", "",
                "put the data folder on a local disk");
  }
  return db.exec("PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA wal_autocheckpoint=0;");
}

}  // namespace plumb::sqlite
