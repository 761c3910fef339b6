#pragma once
/// drivers/sqlite: one SQLite file owned by one process.
///
///   Truth    WAL, synchronous=FULL, STRICT tables. One writer thread commits many changes with
///            one fsync (group commit); readers see snapshots.
///   Rules    checkpoints run only on the writing connection (SQLite before 3.51.3 has a WAL-reset
///            race between connections): automatic checkpoints are off everywhere else.
///   Threads  write() and read() from any thread. A Transaction belongs to the writer thread and
///            is valid only inside the call.
///   Errors   unavailable: disk full or locked; invalid: a database from a newer version;
///            conflict: another process owns the file; fault: broken.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace plumb::sqlite {

class Connection;

/// One prepared statement. Belongs to the thread that holds its connection.
/// Columns count from 0, parameters from 1.
class Statement {
 public:
  Statement(Statement&&) noexcept;
  Statement& operator=(Statement&&) noexcept;
  ~Statement();

  Result<> bind(int parameter, std::int64_t value);
  Result<> bind(int parameter, std::string_view text);  // copies; temporaries are safe
  Result<> bind_blob(int parameter, std::string_view bytes);
  Result<> bind_null(int parameter);

  /// Binds all parameters in order, from 1. Integers, text, and std::optional of them (NULL).
  template <class... Values>
  Result<> bind_all(const Values&... values);

  Result<bool> step();  ///< true: a row; false: finished
  Result<> run();       ///< steps to the end, then resets for the next use
  void reset();

  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string text(int column) const;  ///< "" for NULL
  [[nodiscard]] std::optional<std::string> maybe_text(int column) const;
  [[nodiscard]] std::string blob(int column) const;
  [[nodiscard]] bool is_null(int column) const;

 private:
  friend class Connection;
  explicit Statement(sqlite3_stmt* raw);
  struct Finalize {
    void operator()(sqlite3_stmt* raw) const noexcept;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> raw_;
};

/// One connection. Prepared statements are cached by their text.
class Connection {
 public:
  enum class Mode { read_write, read_only };
  static Result<std::unique_ptr<Connection>> open(const std::string& path, Mode mode);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// The cached statement for `sql`, reset and unbound. `sql` must outlive the connection
  /// (an embedded .sql file or a literal).
  Result<std::reference_wrapper<Statement>> statement(std::string_view sql);
  /// A statement of its own, for text made at run time.
  Result<Statement> prepare(std::string_view sql);
  Result<> exec(std::string_view script);
  [[nodiscard]] std::int64_t last_insert_id() const;
  [[nodiscard]] std::int64_t changes() const;
  [[nodiscard]] sqlite3* raw() const { return raw_; }
  /// Ends statements that were left in the middle of their rows: they would hold a snapshot open.
  void reset_statements();

 private:
  explicit Connection(sqlite3* raw);
  struct Cache;
  sqlite3* raw_;
  std::unique_ptr<Cache> cache_;
};

/// The right to write, inside Store::write. Passing it on is how two writes become one.
using Transaction = Connection;

/// The tables of one folder: its migrations, oldest first. Number i brings version i to i+1.
struct Component {
  std::string name;
  std::vector<std::string_view> migrations;
};

class Store {
 public:
  /// Locks, opens, migrates and checks the file. `conflict` if another process holds it,
  /// `invalid` if a newer Plumbline wrote it.
  static Result<std::unique_ptr<Store>> open(const std::string& path,
                                             const std::vector<Component>& components);
  ~Store();

  /// Runs `change` on the writer thread, inside a transaction shared with whoever else writes now,
  /// and returns after it is durable. If `change` fails its own effects are rolled back, nobody
  /// else's. `change` must be short and must not block on another write().
  template <class T>
  Result<T> write(std::function<Result<T>(Transaction&)> change);
  Result<> write(std::function<Result<>(Transaction&)> change);

  /// Runs `query` on a read-only connection with a snapshot of its own.
  template <class T>
  Result<T> read(std::function<Result<T>(Connection&)> query);

  /// A consistent copy of the whole database, made while it is in use.
  Result<> backup_to(const std::string& path);

  /// Set once a commit or fsync has failed: every later write fails, the process should exit.
  [[nodiscard]] bool broken() const;

 private:
  struct Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  Result<> write_erased(std::function<Result<>(Transaction&)> change);
  Result<> read_erased(const std::function<Result<>(Connection&)>& query);
  std::unique_ptr<Impl> impl_;
};

// ---- templates ----

namespace detail {
inline Result<> bind_one(Statement& s, int i, std::string_view v) {
  return s.bind(i, v);
}
inline Result<> bind_one(Statement& s, int i, const std::string& v) {
  return s.bind(i, std::string_view(v));
}
inline Result<> bind_one(Statement& s, int i, const char* v) {
  return s.bind(i, std::string_view(v));
}
template <class Integer>
requires std::is_integral_v<Integer> Result<> bind_one(Statement& s, int i, Integer v) {
  return s.bind(i, static_cast<std::int64_t>(v));
}
template <class T>
Result<> bind_one(Statement& s, int i, const std::optional<T>& v) {
  return v ? bind_one(s, i, *v) : s.bind_null(i);
}
}  // namespace detail

template <class... Values>
Result<> Statement::bind_all(const Values&... values) {
  int parameter = 0;
  Result<> result;
  const auto one = [&](const auto& value) {
    ++parameter;
    if (result) result = detail::bind_one(*this, parameter, value);
  };
  (one(values), ...);
  return result;
}

template <class T>
Result<T> Store::write(std::function<Result<T>(Transaction&)> change) {
  std::optional<T> value;
  auto done = write_erased([&](Transaction& tx) -> Result<> {
    auto made = change(tx);
    if (!made) return Failure(std::move(made).error());
    value = std::move(*made);
    return {};
  });
  if (!done) return Failure(std::move(done).error());
  return std::move(*value);
}

template <class T>
Result<T> Store::read(std::function<Result<T>(Connection&)> query) {
  std::optional<T> value;
  auto done = read_erased([&](Connection& db) -> Result<> {
    auto made = query(db);
    if (!made) return Failure(std::move(made).error());
    value = std::move(*made);
    return {};
  });
  if (!done) return Failure(std::move(done).error());
  return std::move(*value);
}

}  // namespace plumb::sqlite
