#include <functional>
#include <string>
#include <unordered_map>

#include <sqlite3.h>

#include "drivers/sqlite/errors.h"
#include "drivers/sqlite/store.h"

namespace plumb::sqlite {

Error error_of(sqlite3* db, std::string_view doing) {
  const int code = db == nullptr ? SQLITE_NOMEM : sqlite3_extended_errcode(db);
  Errc errc = Errc::fault;
  std::string hint;
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: errc = Errc::unavailable; break;
    case SQLITE_FULL:
      errc = Errc::unavailable;
      hint = "free some space on the disk of the data folder";
      break;
    case SQLITE_CONSTRAINT: errc = Errc::conflict; break;
    case SQLITE_NOTADB: errc = Errc::invalid; [[fallthrough]];
    case SQLITE_CORRUPT: hint = "stop plumbd, keep the file, and restore the last backup"; break;
    default: break;
  }
  const char* what = db == nullptr ? "out of memory" : sqlite3_errmsg(db);
  return Error{errc, "database: " + std::string(doing) + ": " + what, "", hint};
}

bool is_fatal(sqlite3* db) {
  const int code = sqlite3_extended_errcode(db) & 0xFF;
  return code == SQLITE_IOERR || code == SQLITE_CORRUPT || code == SQLITE_NOTADB ||
         code == SQLITE_READONLY;
}

// ---- Statement ----

void Statement::Finalize::operator()(sqlite3_stmt* raw) const noexcept {
  sqlite3_finalize(raw);
}
Statement::Statement(sqlite3_stmt* raw) : raw_(raw) {}
Statement::Statement(Statement&&) noexcept = default;
Statement& Statement::operator=(Statement&&) noexcept = default;
Statement::~Statement() = default;

namespace {

Result<> bound(sqlite3_stmt* statement, int code) {
  if (code == SQLITE_OK) return {};
  return Failure(error_of(sqlite3_db_handle(statement), "bind"));
}

}  // namespace

Result<> Statement::bind(int parameter, std::int64_t value) {
  return bound(raw_.get(), sqlite3_bind_int64(raw_.get(), parameter, value));
}

Result<> Statement::bind(int parameter, std::string_view text) {
  const char* data = text.data() == nullptr ? "" : text.data();
  return bound(raw_.get(), sqlite3_bind_text64(raw_.get(), parameter, data, text.size(),
                                               SQLITE_TRANSIENT, SQLITE_UTF8));
}

Result<> Statement::bind_blob(int parameter, std::string_view bytes) {
  const char* data = bytes.data() == nullptr ? "" : bytes.data();
  return bound(raw_.get(),
               sqlite3_bind_blob64(raw_.get(), parameter, data, bytes.size(), SQLITE_TRANSIENT));
}

Result<> Statement::bind_null(int parameter) {
  return bound(raw_.get(), sqlite3_bind_null(raw_.get(), parameter));
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(raw_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return Failure(error_of(sqlite3_db_handle(raw_.get()), sqlite3_sql(raw_.get())));
}

Result<> Statement::run() {
  Result<bool> row = step();
  while (row && *row) row = step();
  reset();
  if (!row) return Failure(std::move(row).error());
  return {};
}

void Statement::reset() {
  sqlite3_reset(raw_.get());
  sqlite3_clear_bindings(raw_.get());
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(raw_.get(), column);
}

std::string Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(raw_.get(), column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(raw_.get(), column))};
}

std::optional<std::string> Statement::maybe_text(int column) const {
  if (is_null(column)) return std::nullopt;
  return text(column);
}

std::string Statement::blob(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(raw_.get(), column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(raw_.get(), column))};
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(raw_.get(), column) == SQLITE_NULL;
}

// ---- Connection ----

struct Connection::Cache {
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };
  std::unordered_map<std::string, Statement, Hash, std::equal_to<>> statements;  // by text
};

Connection::Connection(sqlite3* raw) : raw_(raw), cache_(std::make_unique<Cache>()) {}

Connection::~Connection() {
  cache_.reset();
  sqlite3_close_v2(raw_);
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path, Mode mode) {
  const int flags = (mode == Mode::read_write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                              : SQLITE_OPEN_READONLY) |
                    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  std::unique_ptr<Connection> connection(new Connection(raw));  // owned before any return
  if (code != SQLITE_OK) return Failure(error_of(raw, "open '" + path + "'"));
  sqlite3_busy_timeout(raw, kBusyMillis);
  // temp_store: no temporary file holds rows.
  TRY(connection->exec(
      "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
      "PRAGMA temp_store=MEMORY;"));
  if (mode == Mode::read_only) {
    // SQLite before 3.51.3 has a WAL-reset race between connections: only the writer checkpoints.
    TRY(connection->exec("PRAGMA wal_autocheckpoint=0; PRAGMA query_only=ON;"));
    sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  }
  return connection;
}

Result<Statement> Connection::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(raw_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  Statement statement(raw);
  if (code != SQLITE_OK) return Failure(error_of(raw_, sql.substr(0, 200)));
  return statement;
}

Result<std::reference_wrapper<Statement>> Connection::statement(std::string_view sql) {
  const auto found = cache_->statements.find(sql);
  if (found != cache_->statements.end()) {
    found->second.reset();
    return std::ref(found->second);
  }
  auto made = TRY(prepare(sql));
  const auto at = cache_->statements.emplace(std::string(sql), std::move(made)).first;
  return std::ref(at->second);
}

Result<> Connection::exec(std::string_view script) {
  const std::string text(script);
  if (sqlite3_exec(raw_, text.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return Failure(error_of(raw_, text.substr(0, 200)));
}

void Connection::reset_statements() {
  for (sqlite3_stmt* one = sqlite3_next_stmt(raw_, nullptr); one != nullptr;
       one = sqlite3_next_stmt(raw_, one)) {
    if (sqlite3_stmt_busy(one) != 0) sqlite3_reset(one);
  }
}

std::int64_t Connection::last_insert_id() const {
  return sqlite3_last_insert_rowid(raw_);
}
std::int64_t Connection::changes() const {
  return sqlite3_changes64(raw_);
}

}  // namespace plumb::sqlite
