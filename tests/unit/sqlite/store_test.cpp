#include "drivers/sqlite/store.h"

#include <atomic>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include <sys/stat.h>

#include "tests/support/must.h"
#include "tests/support/temp_folder.h"

using namespace plumb;
using namespace plumb::sqlite;
using test::must;
using test::must_fail;

namespace {

const Component kNotes{"notes",
                       {"CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;"}};

Result<> add_note(Transaction& tx, std::string_view text) {
  Statement& row = TRY(tx.statement("INSERT INTO note (text) VALUES (?)"));
  TRY(row.bind(1, text));
  return row.run();
}

std::int64_t count_notes(Store& store) {
  return must(store.read<std::int64_t>([](Connection& db) -> Result<std::int64_t> {
    Statement& row = TRY(db.statement("SELECT count(*) FROM note"));
    static_cast<void>(TRY(row.step()));
    return row.integer(0);
  }));
}

std::string read_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("what was written is read again by the next owner") {
  const test::TempFolder folder;
  {
    auto store = must(Store::open(folder / "a.db", {kNotes}));
    must(store->write([](Transaction& tx) { return add_note(tx, "one"); }));
    CHECK(count_notes(*store) == 1);
  }
  auto store = must(Store::open(folder / "a.db", {kNotes}));
  CHECK(count_notes(*store) == 1);
}

TEST_CASE("a second owner is refused with the next step, until the first is gone") {
  const test::TempFolder folder;
  auto first = must(Store::open(folder / "a.db", {kNotes}));
  const Error error = must_fail(Store::open(folder / "a.db", {kNotes}));
  CHECK(error.code == Errc::conflict);
  CHECK(error.message.find("another plumbd works on this data") != std::string::npos);
  CHECK(error.hint.find("stop it first") != std::string::npos);
  first.reset();
  must(Store::open(folder / "a.db", {kNotes}));
}

TEST_CASE("a database of a newer version is refused and stays as it is") {
  const test::TempFolder folder;
  Component newer = kNotes;
  newer.migrations.emplace_back("CREATE TABLE later (id INTEGER PRIMARY KEY) STRICT;");
  must(Store::open(folder / "a.db", {newer}));
  const Error error = must_fail(Store::open(folder / "a.db", {kNotes}));
  CHECK(error.code == Errc::invalid);
  CHECK(error.message.find("newer Plumbline (notes 2, this one knows 1)") != std::string::npos);
  CHECK(error.hint.find("backup") != std::string::npos);

  const Component unknown{"tomorrow", {"CREATE TABLE t (id INTEGER PRIMARY KEY) STRICT;"}};
  must(Store::open(folder / "a.db", {newer, unknown}));
  CHECK(must_fail(Store::open(folder / "a.db", {newer})).message.find("'tomorrow'") !=
        std::string::npos);
}

TEST_CASE("migrations run once each and all or nothing") {
  const test::TempFolder folder;
  {
    auto store = must(Store::open(folder / "a.db", {kNotes}));
    must(store->write([](Transaction& tx) { return add_note(tx, "kept"); }));
  }
  Component broken = kNotes;
  broken.migrations.emplace_back("CREATE TABLE extra (id INTEGER PRIMARY KEY) STRICT;");
  broken.migrations.emplace_back("CREATE TABLE note (id INTEGER) STRICT;");  // is there already
  CHECK_FALSE(Store::open(folder / "a.db", {broken}));
  broken.migrations.pop_back();
  auto store = must(Store::open(folder / "a.db", {broken}));  // `extra` was taken back
  CHECK(count_notes(*store) == 1);
}

TEST_CASE("a change that fails takes back its own effects only") {
  const test::TempFolder folder;
  auto store = must(Store::open(folder / "a.db", {kNotes}));
  const auto failing = store->write([](Transaction& tx) -> Result<> {
    TRY(add_note(tx, "no"));
    return fail(Errc::conflict, "not this one");
  });
  CHECK(failing.error().code == Errc::conflict);
  must(store->write([](Transaction& tx) { return add_note(tx, "yes"); }));
  CHECK(count_notes(*store) == 1);
  CHECK_FALSE(store->broken());
}

TEST_CASE("a change that throws costs itself alone") {
  const test::TempFolder folder;
  auto store = must(Store::open(folder / "a.db", {kNotes}));
  const auto thrown = store->write([](Transaction& tx) -> Result<> {
    TRY(add_note(tx, "no"));
    throw std::runtime_error("a bug");
  });
  CHECK(thrown.error().code == Errc::fault);
  must(store->write([](Transaction& tx) { return add_note(tx, "yes"); }));
  CHECK(count_notes(*store) == 1);
}

TEST_CASE("eight writers and readers never see a busy database") {
  const test::TempFolder folder;
  auto store = must(Store::open(folder / "a.db", {kNotes}));
  constexpr int kEach = 200;
  std::atomic<int> refused = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&, i] {
        const std::string text(2000, static_cast<char>('a' + i));
        for (int n = 0; n < kEach; ++n) {
          const bool fails = n % 10 == 9;  // failures of others must not touch the rest of a batch
          const auto done = store->write([&](Transaction& tx) -> Result<> {
            TRY(add_note(tx, text));
            if (fails) return fail(Errc::conflict, "wanted");
            return {};
          });
          if (done.has_value() == fails) ++refused;
        }
      });
      threads.emplace_back([&] {
        for (int n = 0; n < kEach; ++n) {
          const auto read = store->read<int>([](Connection& db) -> Result<int> {
            Statement& row = TRY(db.statement("SELECT count(*) FROM note"));
            static_cast<void>(TRY(row.step()));
            return static_cast<int>(row.integer(0));
          });
          if (!read) ++refused;
        }
      });
    }
  }
  CHECK(refused == 0);
  CHECK(count_notes(*store) == 8 * kEach * 9 / 10);
}

TEST_CASE("a reader keeps its snapshot while others write, and cannot write or checkpoint itself") {
  const test::TempFolder folder;
  auto store = must(Store::open(folder / "a.db", {kNotes}));
  must(store->write([](Transaction& tx) { return add_note(tx, "one"); }));
  must(store->read<int>([&](Connection& db) -> Result<int> {
    Statement count = TRY(db.prepare("SELECT count(*) FROM note"));
    static_cast<void>(TRY(count.step()));
    CHECK(count.integer(0) == 1);
    must(store->write([](Transaction& tx) { return add_note(tx, "two"); }));
    count.reset();
    static_cast<void>(TRY(count.step()));
    CHECK(count.integer(0) == 1);
    CHECK_FALSE(db.exec("INSERT INTO note (text) VALUES ('three')"));
    CHECK_FALSE(db.exec("PRAGMA wal_checkpoint(TRUNCATE)"));
    return 0;
  }));
  CHECK(count_notes(*store) == 2);
}

TEST_CASE("the writer has the promised settings and keeps automatic checkpoints off everywhere") {
  const test::TempFolder folder;
  auto store = must(Store::open(folder / "a.db", {kNotes}));
  const auto pragma = [](Connection& db, const std::string& name) -> std::string {
    Statement row = must(db.prepare("PRAGMA " + name));
    REQUIRE(must(row.step()));
    return row.text(0);
  };
  must(store->write([&](Transaction& tx) -> Result<> {
    CHECK(pragma(tx, "journal_mode") == "wal");
    CHECK(pragma(tx, "synchronous") == "2");
    CHECK(pragma(tx, "secure_delete") == "1");
    CHECK(pragma(tx, "foreign_keys") == "1");
    CHECK(pragma(tx, "wal_autocheckpoint") == "0");
    return {};
  }));
  must(store->read<int>([&](Connection& db) -> Result<int> {
    CHECK(pragma(db, "wal_autocheckpoint") == "0");
    CHECK(pragma(db, "query_only") == "1");
    return 0;
  }));
}

TEST_CASE("what was deleted is in no page of the file once the log is folded in") {
  const test::TempFolder folder;
  const std::string canary = "canary-8c1f0d-deleted";
  {
    auto store = must(Store::open(folder / "a.db", {kNotes}));
    must(store->write([&](Transaction& tx) -> Result<> {
      for (int i = 0; i < 50; ++i) TRY(add_note(tx, canary + std::string(3000, 'x')));
      return {};
    }));
    CHECK(read_whole(folder / "a.db-wal").find(canary) != std::string::npos);
    must(store->write([](Transaction& tx) { return tx.exec("DELETE FROM note"); }));
  }
  CHECK(read_whole(folder / "a.db").find(canary) == std::string::npos);
  CHECK_FALSE(std::filesystem::exists(folder / "a.db-wal"));
}

TEST_CASE("the files are for their owner only") {
  const test::TempFolder folder;
  auto store = must(Store::open(folder / "a.db", {kNotes}));
  must(store->write([](Transaction& tx) { return add_note(tx, "one"); }));
  for (const char* name : {"a.db", "a.db-wal", "a.db-shm", "a.db.lock"}) {
    struct stat info {};
    REQUIRE(::stat((folder / name).c_str(), &info) == 0);
    CHECK((info.st_mode & 0777U) == 0600U);
  }
}

TEST_CASE("a backup made while writers work is whole") {
  const test::TempFolder folder;
  auto store = must(Store::open(folder / "a.db", {kNotes}));
  std::jthread writer([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      must(store->write([](Transaction& tx) -> Result<> {
        TRY(add_note(tx, "a"));
        return add_note(tx, "b");
      }));
    }
  });
  while (count_notes(*store) < 20) std::this_thread::yield();
  must(store->backup_to(folder / "copy.db"));
  writer.request_stop();
  writer.join();
  auto copy = must(Store::open(folder / "copy.db", {kNotes}));
  CHECK(count_notes(*copy) >= 20);
  CHECK(count_notes(*copy) % 2 == 0);
}
