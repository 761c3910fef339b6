#include "drivers/sqlite/store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include "core/failpoint.h"
#include "core/guarded.h"
#include "core/log.h"
#include "drivers/sqlite/errors.h"

namespace plumb::sqlite {
namespace {

constexpr std::size_t kMaxBatch = 256;
constexpr std::size_t kMaxIdleReaders = 8;
constexpr int kCheckpointPages = 1000;      // about 4 MB of log
constexpr int kTruncatePages = 16'000;      // about 64 MB: shrink the file when readers allow

struct Write {
  std::function<Result<>(Transaction&)> change;
  std::promise<Result<>> done;
  Result<> result;
};

/// Held for the life of the process: a second plumbd on the same data is refused.
class FileLock {
 public:
  static Result<FileLock> take(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail(Errc::fault, "lock '" + path + "' cannot be opened");
    FileLock lock(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      return fail(Errc::conflict, "another plumbd works on this data ('" + path + "' is locked)", "",
                  "stop it first, or give this one another data folder");
    }
    return lock;
  }
  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock() {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

Result<std::int64_t> version_of(Connection& db, const std::string& component) {
  Statement& found = TRY(db.statement("SELECT version FROM component_version WHERE component = ?"));
  TRY(found.bind(1, component));
  const bool row = TRY(found.step());
  const std::int64_t version = row ? found.integer(0) : 0;
  found.reset();
  return version;
}

Result<> migrate(Connection& db, const Component& component) {
  const std::int64_t version = TRY(version_of(db, component.name));
  const auto newest = static_cast<std::int64_t>(component.migrations.size());
  if (version > newest) {
    return fail(Errc::invalid,
                "the database was written by a newer Plumbline (" + component.name + " " + std::to_string(version) +
                    ", this one knows " + std::to_string(newest) + ")",
                "", "install that version again, or restore a backup made before the upgrade");
  }
  for (std::int64_t next = version; next < newest; ++next) {
    TRY(db.exec(component.migrations[static_cast<std::size_t>(next)]));
    Statement& stored = TRY(db.statement(
        "INSERT INTO component_version (component, version) VALUES (?, ?) "
        "ON CONFLICT (component) DO UPDATE SET version = excluded.version"));
    TRY(stored.bind_all(component.name, next + 1));
    TRY(stored.run());
  }
  return {};
}

Result<> migrate_all(Connection& db, const std::vector<Component>& components) {
  TRY(db.exec("BEGIN IMMEDIATE;"
              "CREATE TABLE IF NOT EXISTS component_version ("
              "  component TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT;"));
  for (const Component& component : components) {
    if (auto migrated = migrate(db, component); !migrated) {
      static_cast<void>(db.exec("ROLLBACK"));
      return migrated;
    }
  }
  return db.exec("COMMIT");
}

}  // namespace

struct Store::Impl {
  Impl(std::string the_path, FileLock the_lock, std::unique_ptr<Connection> the_writer)
      : path(std::move(the_path)), lock(std::move(the_lock)), writer(std::move(the_writer)) {}

  void work(const std::stop_token& stop);
  void run_batch(std::deque<Write>& batch);
  Result<> run_one(Write& write);
  Result<> commit();
  void checkpoint();
  Result<std::unique_ptr<Connection>> borrow();

  std::string path;
  FileLock lock;
  std::unique_ptr<Connection> writer;  // of the writer thread
  Guarded<std::vector<std::unique_ptr<Connection>>> readers;
  std::atomic<bool> broken = false;
  int log_pages = 0;  // of the writer thread; told by SQLite after each commit
  std::mutex mutex;
  std::condition_variable_any ready;
  std::deque<Write> waiting;
  bool closed = false;
  std::jthread thread;  // last
};

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Store::~Store() {
  {
    const std::scoped_lock lock(impl_->mutex);
    impl_->closed = true;
  }
  impl_->thread.request_stop();
  impl_->ready.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
}

Result<std::unique_ptr<Store>> Store::open(const std::string& path, const std::vector<Component>& components) {
  auto lock = TRY(FileLock::take(path + ".lock"));
  auto writer = TRY(Connection::open(path, Connection::Mode::read_write));
  // secure_delete: what retention or a person removed is not readable in free pages.
  TRY(writer->exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;"
                   "PRAGMA wal_autocheckpoint=0;"));
  TRY(migrate_all(*writer, components));
  auto impl = std::make_unique<Impl>(path, std::move(lock), std::move(writer));
  Impl& self = *impl;
  // Our own hook stands in the place of the automatic checkpoint.
  sqlite3_wal_hook(impl->writer->raw(), [](void* count, sqlite3*, const char*, int pages) {
    *static_cast<int*>(count) = pages;
    return SQLITE_OK;
  }, &self.log_pages);
  impl->thread = std::jthread([&self](std::stop_token stop) { self.work(stop); });
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

bool Store::broken() const { return impl_->broken; }

// ---- writing ----

void Store::Impl::work(const std::stop_token& stop) {
  for (;;) {
    std::deque<Write> batch;
    {
      std::unique_lock lock_queue(mutex);
      ready.wait(lock_queue, stop, [&] { return !waiting.empty(); });
      if (waiting.empty()) return;  // stopped, and nothing is left undone
      const std::size_t count = std::min(waiting.size(), kMaxBatch);
      batch.insert(batch.end(), std::make_move_iterator(waiting.begin()),
                   std::make_move_iterator(waiting.begin() + static_cast<std::ptrdiff_t>(count)));
      waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(count));
    }
    run_batch(batch);
    for (Write& write : batch) write.done.set_value(std::move(write.result));
    checkpoint();
  }
}

/// A change that fails takes back its own effects, nobody else's.
Result<> Store::Impl::run_one(Write& write) {
  TRY(writer->exec("SAVEPOINT one"));
  auto changed = write.change(*writer);
  writer->reset_statements();
  if (!changed) TRY(writer->exec("ROLLBACK TO one"));
  TRY(writer->exec("RELEASE one"));
  return changed;
}

Result<> Store::Impl::commit() {
  FAILPOINT("sqlite.before_commit");
  TRY(writer->exec("COMMIT"));
  FAILPOINT("sqlite.after_commit");
  return {};
}

void Store::Impl::run_batch(std::deque<Write>& batch) {
  Result<> whole;
  if (broken) {
    whole = fail(Errc::fault, "the database failed before: restart plumbd");
  } else {
    whole = writer->exec("BEGIN IMMEDIATE");
    for (Write& write : batch) {
      if (whole) write.result = run_one(write);
      // A full disk can end the whole transaction under a statement.
      if (whole && sqlite3_get_autocommit(writer->raw()) != 0) {
        whole = write.result ? fail(Errc::fault, "the transaction ended early") : Result<>(Failure(write.result.error()));
      }
    }
    if (whole) whole = commit();
  }
  if (whole) return;
  if (!broken && is_fatal(writer->raw())) {
    broken = true;
    log::error("database.broken", {{"message", whole.error().message}});
  }
  if (sqlite3_get_autocommit(writer->raw()) == 0) static_cast<void>(writer->exec("ROLLBACK"));
  for (Write& write : batch) {
    if (write.result) write.result = Failure(whole.error());
  }
}

/// PASSIVE never waits for a reader; TRUNCATE does, so only when the log has grown far.
void Store::Impl::checkpoint() {
  if (log_pages < kCheckpointPages) return;
  const int mode = log_pages >= kTruncatePages ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  int left = 0;
  int moved = 0;
  if (sqlite3_wal_checkpoint_v2(writer->raw(), nullptr, mode, &left, &moved) == SQLITE_OK && left == moved) log_pages = 0;
}

Result<> Store::write_erased(std::function<Result<>(Transaction&)> change) {
  Write write{std::move(change), {}, {}};
  auto done = write.done.get_future();
  {
    const std::scoped_lock lock(impl_->mutex);
    if (impl_->closed) return fail(Errc::unavailable, "the database is being closed");
    impl_->waiting.push_back(std::move(write));
  }
  impl_->ready.notify_one();
  return done.get();
}

Result<> Store::write(std::function<Result<>(Transaction&)> change) { return write_erased(std::move(change)); }

// ---- reading ----

Result<std::unique_ptr<Connection>> Store::Impl::borrow() {
  auto idle = readers.with([](auto& all) -> std::unique_ptr<Connection> {
    if (all.empty()) return nullptr;
    auto last = std::move(all.back());
    all.pop_back();
    return last;
  });
  if (idle) return idle;
  return Connection::open(path, Connection::Mode::read_only);
}

Result<> Store::read_erased(const std::function<Result<>(Connection&)>& query) {
  auto reader = TRY(impl_->borrow());
  TRY(reader->exec("BEGIN"));
  auto answered = query(*reader);
  reader->reset_statements();
  const auto ended = reader->exec("ROLLBACK");
  if (ended) {
    impl_->readers.with([&](auto& all) {
      if (all.size() < kMaxIdleReaders) all.push_back(std::move(reader));
    });
  }
  return answered;
}

Result<> Store::backup_to(const std::string& path) {
  auto source = TRY(Connection::open(impl_->path, Connection::Mode::read_only));
  auto target = TRY(Connection::open(path, Connection::Mode::read_write));
  sqlite3_backup* backup = sqlite3_backup_init(target->raw(), "main", source->raw(), "main");
  if (backup == nullptr) return Failure(error_of(target->raw(), "backup"));
  const int stepped = sqlite3_backup_step(backup, -1);
  sqlite3_backup_finish(backup);
  if (stepped != SQLITE_DONE) return Failure(error_of(target->raw(), "backup"));
  return {};
}

}  // namespace plumb::sqlite
