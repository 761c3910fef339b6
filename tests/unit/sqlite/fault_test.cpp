/// Disks that fill or lie, and a process that dies.
#include <set>
#include <thread>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/sqlite/store.h"
#include "tests/support/must.h"
#include "tests/support/temp_folder.h"

using namespace plumb;
using namespace plumb::sqlite;
using test::must;
using test::must_fail;

namespace {

const Component kNotes{"notes",
                       {"CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;"}};

Result<std::int64_t> add(Transaction& tx, std::int64_t id, std::string_view text) {
  Statement& row = TRY(tx.statement("INSERT INTO note (id, text) VALUES (?, ?)"));
  TRY(row.bind_all(id, text));
  TRY(row.run());
  return tx.last_insert_id();
}

std::set<std::int64_t> ids(Store& store) {
  return must(
      store.read<std::set<std::int64_t>>([](Connection& db) -> Result<std::set<std::int64_t>> {
        Statement& rows = TRY(db.statement("SELECT id FROM note"));
        std::set<std::int64_t> found;
        while (TRY(rows.step())) found.insert(rows.integer(0));
        return found;
      }));
}

/// Four threads write; each id goes into the pipe after its write() returned.
[[noreturn]] void write_until_killed(const std::string& path, int acknowledged) {
  auto store = Store::open(path, {kNotes});
  if (!store) ::_exit(3);
  std::vector<std::jthread> threads;
  for (std::int64_t i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (std::int64_t n = 0;; ++n) {
        const std::int64_t id = n * 4 + i + 1;
        const auto done =
            (*store)->write<std::int64_t>([&](Transaction& tx) { return add(tx, id, "x"); });
        if (!done || ::write(acknowledged, &id, sizeof id) != sizeof id) ::_exit(4);
      }
    });
  }
  threads.front().join();
  ::_exit(5);
}

}  // namespace

TEST_CASE("every write that was acknowledged is there after SIGKILL, and nothing is half there") {
  const test::TempFolder folder;
  std::set<std::int64_t> acknowledged;
  for (int round = 0; round < 5; ++round) {
    const std::string path = folder / (std::to_string(round) + ".db");
    int pipe[2];
    REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
    const pid_t child = ::fork();
    if (child == 0) write_until_killed(path, pipe[1]);
    ::close(pipe[1]);
    acknowledged.clear();
    std::int64_t id = 0;
    const std::size_t enough = 50 + 37 * static_cast<std::size_t>(round);
    while (::read(pipe[0], &id, sizeof id) == sizeof id) {
      acknowledged.insert(id);
      if (acknowledged.size() == enough) ::kill(child, SIGKILL);
    }
    ::close(pipe[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    REQUIRE(WTERMSIG(status) == SIGKILL);
    REQUIRE(acknowledged.size() >= enough);
    auto store = must(Store::open(path, {kNotes}));
    const auto stored = ids(*store);
    for (const std::int64_t one : acknowledged) CHECK(stored.contains(one));
  }
}

TEST_CASE("a full disk is unavailable, keeps what was stored, and heals by itself") {
  const test::TempFolder folder;
  auto store = must(Store::open(folder / "a.db", {kNotes}));
  must(store->write<std::int64_t>([](Transaction& tx) { return add(tx, 1, "first"); }));
  const auto limit = [&](const std::string& pages) {
    must(store->write([&](Transaction& tx) { return tx.exec("PRAGMA max_page_count=" + pages); }));
  };
  limit("20");
  std::optional<Error> full;
  for (std::int64_t id = 2; id < 100 && !full; ++id) {
    const auto done = store->write<std::int64_t>(
        [&](Transaction& tx) { return add(tx, id, std::string(4000, 'x')); });
    if (!done) full = done.error();
  }
  REQUIRE(full);
  CHECK(full->code == Errc::unavailable);
  CHECK(full->hint.find("free some space") != std::string::npos);
  CHECK_FALSE(store->broken());
  const auto before = ids(*store);
  CHECK(before.contains(1));
  limit("1000000");
  must(store->write<std::int64_t>(
      [](Transaction& tx) { return add(tx, 1000, std::string(4000, 'x')); }));
  CHECK(ids(*store).size() == before.size() + 1);
}

TEST_CASE("a damaged page is found when the file is opened") {
  const test::TempFolder folder;
  const std::string path = folder / "a.db";
  {
    auto store = must(Store::open(path, {kNotes}));
    must(store->write([](Transaction& tx) -> Result<> {
      for (std::int64_t id = 1; id < 500; ++id) TRY(add(tx, id, std::string(100, 'x')));
      return {};
    }));
  }
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096 * 5);
    file << std::string(64, '\xff');
  }
  const Error error = must_fail(Store::open(path, {kNotes}));
  CHECK(error.code == Errc::fault);
  CHECK(error.hint.find("restore the last backup") != std::string::npos);
}

TEST_CASE("a file that is no database is refused and left alone") {
  const test::TempFolder folder;
  const std::string path = folder.write("a.db", std::string(5000, 'n'));
  const Error error = must_fail(Store::open(path, {kNotes}));
  CHECK(error.code == Errc::invalid);
  CHECK(error.hint.find("keep the file") != std::string::npos);
}

#ifdef PLUMB_FAILPOINTS
// Runs only when asked for by the test below: the failpoints of a process are read once.
TEST_CASE("writes around a commit that fails", "[.][failing-commit]") {
  const char* path = std::getenv("PLUMB_TEST_DATABASE");
  REQUIRE(path != nullptr);
  auto store = must(Store::open(path, {kNotes}));
  const auto write = [&](std::int64_t id) {
    return store->write<std::int64_t>([&](Transaction& tx) { return add(tx, id, "x"); });
  };
  CHECK(write(1));
  CHECK_FALSE(write(2));
  CHECK(store->broken());
  const auto third = write(3);
  REQUIRE_FALSE(third);
  CHECK(third.error().code == Errc::fault);
  CHECK(third.error().hint == "restart plumbd");
}

TEST_CASE("after a commit that failed nothing is written any more") {
  const test::TempFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("PLUMB_FAIL", "sqlite.before_commit=error@2", 1);
    ::setenv("PLUMB_TEST_DATABASE", (folder / "a.db").c_str(), 1);
    ::execl("/proc/self/exe", "sqlite_test", "[failing-commit]", static_cast<char*>(nullptr));
    ::_exit(127);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  auto store = must(Store::open(folder / "a.db", {kNotes}));
  CHECK(ids(*store) == std::set<std::int64_t>{1});
}
#endif
