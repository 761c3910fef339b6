#include "drivers/sqlite/store.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/failpoint.h"
#include "core/guarded.h"
#include "core/log.h"
#include "drivers/sqlite/errors.h"
#include "drivers/sqlite/opening.h"

namespace plumb::sqlite {
namespace {

constexpr std::size_t kMaxBatch = 256;
constexpr std::size_t kMaxIdleReaders = 8;
constexpr int kCheckpointPages = 1000;  // about 4 MB of log
constexpr int kTruncatePages = 16'000;  // about 64 MB: shrink the file when readers allow
constexpr int kAlarmPages = 64'000;     // about 256 MB: a reader holds the log
constexpr auto kIdle =
    std::chrono::seconds(10);  // then the log is emptied: it holds what was deleted

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
    if (fd < 0) {
      return fail(Errc::fault, "lock '" + path + "' cannot be opened: " + std::strerror(errno), "",
                  "check that the data folder exists and belongs to the user of plumbd");
    }
    FileLock lock(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      return fail(Errc::conflict, "another plumbd works on this data ('" + path + "' is locked)",
                  "", "stop it first, or give this one another data folder");
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

}  // namespace

struct Store::Impl {
  Impl(std::string the_path, FileLock the_lock, std::unique_ptr<Connection> the_writer)
      : path(std::move(the_path)), lock(std::move(the_lock)), writer(std::move(the_writer)) {}

  void work(const std::stop_token& stop);
  void run_batch(std::deque<Write>& batch);
  Result<> run_one(Write& write);
  Result<> commit();
  Result<> call(Write& write);
  void note_failure();
  bool wait_for_work(std::unique_lock<std::mutex>& held, const std::stop_token& stop);
  void checkpoint();
  void run_checkpoint(int mode);
  Result<std::unique_ptr<Connection>> borrow();

  std::string path;
  FileLock lock;
  std::unique_ptr<Connection> writer;  // of the writer thread
  Guarded<std::vector<std::unique_ptr<Connection>>> readers;
  std::atomic<bool> broken = false;
  int log_pages = 0;     // of the writer thread; told by SQLite after each commit
  bool alarmed = false;  // of the writer thread
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

Result<std::unique_ptr<Store>> Store::open(const std::string& path,
                                           const std::vector<Component>& components) {
  auto lock = TRY(FileLock::take(path + ".lock"));
  TRY(make_private(path));
  auto writer = TRY(Connection::open(path, Connection::Mode::read_write));
  TRY(set_up_writer(*writer));
  TRY(check_pages(*writer, path));
  TRY(migrate_all(*writer, components));
  auto impl = std::make_unique<Impl>(path, std::move(lock), std::move(writer));
  Impl& self = *impl;
  // Our own hook stands in the place of the automatic checkpoint.
  sqlite3_wal_hook(
      impl->writer->raw(),
      [](void* count, sqlite3*, const char*, int pages) {
        *static_cast<int*>(count) = pages;
        return SQLITE_OK;
      },
      &self.log_pages);
  impl->thread = std::jthread([&self](std::stop_token stop) { self.work(stop); });
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

bool Store::broken() const {
  return impl_->broken;
}

// ---- writing ----

/// True: there is work; false: stopped. Empties the log when nothing comes for a while.
bool Store::Impl::wait_for_work(std::unique_lock<std::mutex>& held, const std::stop_token& stop) {
  const auto any = [&] { return !waiting.empty(); };
  if (log_pages > 0 && !ready.wait_for(held, stop, kIdle, any) && !stop.stop_requested()) {
    held.unlock();
    run_checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
    held.lock();
  }
  return ready.wait(held, stop, any);
}

void Store::Impl::work(const std::stop_token& stop) {
  for (;;) {
    std::deque<Write> batch;
    {
      std::unique_lock held(mutex);
      if (!wait_for_work(held, stop)) return;  // stopped, and nothing is left undone
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

/// A bug in one change must not end the thread that everybody's changes need.
Result<> Store::Impl::call(Write& write) {
  try {
    return write.change(*writer);
  } catch (const std::exception& bug) {
    return fail(Errc::fault, std::string("a change of the database threw: ") + bug.what());
  }
}

/// Looked at right after a failure, before another call hides its code.
void Store::Impl::note_failure() {
  if (broken || !is_fatal(writer->raw())) return;
  broken = true;
  log::error("database.broken", {{"message", std::string(sqlite3_errmsg(writer->raw()))}});
}

/// A change that fails takes back its own effects, nobody else's.
Result<> Store::Impl::run_one(Write& write) {
  TRY(writer->exec("SAVEPOINT one"));
  auto changed = call(write);
  if (!changed) note_failure();
  writer->reset_statements();
  // A full disk can end the whole transaction under a statement: then there is nothing to take
  // back.
  if (sqlite3_get_autocommit(writer->raw()) != 0) {
    if (!changed) return changed;
    return fail(Errc::fault, "a change ended the transaction that it shares");
  }
  Result<> ended;
  if (!changed) ended = writer->exec("ROLLBACK TO one");
  if (ended) ended = writer->exec("RELEASE one");
  if (!ended) {
    // Half a change may still be there: nothing of this transaction may become durable.
    note_failure();
    static_cast<void>(writer->exec("ROLLBACK"));
    return ended;
  }
  return changed;
}

/// Once a commit has failed for another reason than a full disk, nobody knows what is on the disk:
/// a failed fsync loses pages and says so once. The process must exit and read again.
Result<> Store::Impl::commit() {
  auto committed = [&]() -> Result<> {
    FAILPOINT("sqlite.before_commit");
    TRY(writer->exec("COMMIT"));
    FAILPOINT("sqlite.after_commit");
    return {};
  }();
  if (!committed && committed.error().code != Errc::unavailable && !broken) {
    broken = true;
    log::error("database.broken", {{"message", committed.error().message}});
  }
  return committed;
}

void Store::Impl::run_batch(std::deque<Write>& batch) {
  Result<> whole;
  if (broken) {
    whole = fail(Errc::fault, "the database failed before", "", "restart plumbd");
  } else {
    whole = writer->exec("BEGIN IMMEDIATE");
    if (!whole) note_failure();
  }
  for (Write& write : batch) {
    if (!whole) break;
    write.result = run_one(write);
    if (broken || sqlite3_get_autocommit(writer->raw()) != 0) whole = Failure(write.result.error());
  }
  if (whole) whole = commit();
  if (whole) return;
  if (sqlite3_get_autocommit(writer->raw()) == 0) static_cast<void>(writer->exec("ROLLBACK"));
  for (Write& write : batch) {
    if (write.result) write.result = Failure(whole.error());
  }
}

void Store::Impl::checkpoint() {
  if (log_pages < kCheckpointPages) return;
  run_checkpoint(log_pages >= kTruncatePages ? SQLITE_CHECKPOINT_TRUNCATE
                                             : SQLITE_CHECKPOINT_PASSIVE);
}

/// Readers keep their snapshot: what they hold is left for the next time, nobody waits for them.
void Store::Impl::run_checkpoint(int mode) {
  if (broken) return;
  int left = 0;
  int moved = 0;
  sqlite3_busy_timeout(writer->raw(), 0);
  const int code = sqlite3_wal_checkpoint_v2(writer->raw(), nullptr, mode, &left, &moved);
  sqlite3_busy_timeout(writer->raw(), kBusyMillis);
  if (code == SQLITE_OK && left == moved) {
    log_pages = 0;
  } else if (code != SQLITE_OK && code != SQLITE_BUSY) {
    note_failure();
  }
  const bool large = log_pages > kAlarmPages;
  if (large && !alarmed) log::warn("database.log_large", {{"pages", log_pages}});
  alarmed = large;
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

Result<> Store::write(std::function<Result<>(Transaction&)> change) {
  return write_erased(std::move(change));
}

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
  TRY(make_private(path));
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
