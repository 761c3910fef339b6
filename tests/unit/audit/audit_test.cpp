#include "audit/audit.h"

#include <nlohmann/json.hpp>

#include "drivers/crypto/crypto.h"
#include "tests/support/must.h"
#include "tests/support/temp_folder.h"

using namespace plumb;
using test::must;
using Json = nlohmann::json;
using Head = std::optional<std::pair<std::int64_t, std::string>>;

namespace {

audit::Entry a_step(const std::string& verb, const std::string& application = "web/dev@eu-1") {
  audit::Entry entry;
  entry.verb = verb;
  entry.actor = {"uid:1000", "Ana Lovelace", Assurance::peer_uid};
  entry.application = application;
  entry.repository = "shop";
  entry.result = "ok";
  return entry;
}

/// The trail in a file, and the ways in which somebody with the file could change it.
class Trail {
 public:
  Trail() { open(); }

  std::int64_t append(const audit::Entry& entry, UnixMillis now = 1000) {
    return must(store_->write<std::int64_t>(
        [&](sqlite::Transaction& tx) { return audit::append(tx, entry, now); }));
  }
  void append_five() {
    for (int i = 1; i <= 5; ++i) append(a_step("step." + std::to_string(i)), 1000 + i);
  }
  std::vector<audit::Row> list(const audit::Filter& filter = {}) {
    return must(
        store_->read<std::vector<audit::Row>>([&](auto& db) { return audit::list(db, filter); }));
  }
  audit::Verified verify(const Head& head = {}) {
    return must(store_->read<audit::Verified>([&](auto& db) { return audit::verify(db, head); }));
  }
  sqlite::Store& store() { return *store_; }
  const std::string& folder() const { return folder_.path(); }

  /// As the owner of the file could, without plumbd.
  void tamper(const std::string& sql) {
    store_.reset();
    {
      auto db =
          must(sqlite::Connection::open(folder_ / "a.db", sqlite::Connection::Mode::read_write));
      must(db->exec(
          "DROP TRIGGER IF EXISTS audit_leaf_stays; DROP TRIGGER IF EXISTS audit_leaf_is_final;" +
          sql));
    }
    open();
  }
  /// Makes every chain value fit again.
  void chain_anew() {
    store_.reset();
    {
      auto db =
          must(sqlite::Connection::open(folder_ / "a.db", sqlite::Connection::Mode::read_write));
      std::string chain(32, '\0');
      auto rows = must(db->prepare("SELECT sequence, leaf FROM audit_leaf ORDER BY sequence"));
      auto put = must(db->prepare("UPDATE audit_leaf SET chain = ? WHERE sequence = ?"));
      while (must(rows.step())) {
        chain = crypto::sha256(chain + crypto::sha256(std::string(1, '\0') + rows.text(1)));
        must(put.bind_blob(1, chain));
        must(put.bind(2, rows.integer(0)));
        must(put.run());
      }
    }
    open();
  }

 private:
  void open() { store_ = must(sqlite::Store::open(folder_ / "a.db", {audit::schema()})); }

  test::TempFolder folder_;
  std::unique_ptr<sqlite::Store> store_;
};

std::string head_of(Trail& trail) {
  return trail.verify().head;
}

}  // namespace

TEST_CASE("a leaf has exactly the keys of format 1, canonical, and the documented chain value") {
  Trail trail;
  auto entry = a_step("job.settled");
  entry.job = 7;
  entry.reason = "line\nbreak \"quoted\"";
  entry.detail = {{"worker", "local/1"}, {"worker", "again"}};
  CHECK(trail.append(entry) == 1);
  const auto row = trail.list().front();
  const Json leaf = Json::parse(row.leaf);
  CHECK(row.leaf == leaf.dump());
  std::string keys;
  for (const auto& [key, value] : leaf.items()) keys += key + " ";
  CHECK(keys ==
        "actor actor_commitment application assurance at boot cluster_uid commit detail epoch "
        "event format job "
        "new_oid old_oid plan project reason ref repository result sequence verb ");
  CHECK(leaf["format"] == 1);
  CHECK(leaf["at"] == 1000);
  CHECK(leaf["job"] == 7);
  CHECK(leaf["epoch"].is_null());
  CHECK(leaf["commit"].is_null());
  CHECK(leaf["assurance"] == "peer-uid");
  CHECK(leaf["detail"] == Json{{"worker", "local/1"}, {"worker#2", "again"}});
  CHECK(leaf["actor"].get<std::string>().size() == 16);
  CHECK(row.chain == crypto::hex(crypto::sha256(std::string(32, '\0') +
                                                crypto::sha256(std::string(1, '\0') + row.leaf))));
}

TEST_CASE("sequence numbers have no gap, also when a step is taken back") {
  Trail trail;
  CHECK(trail.append(a_step("one")) == 1);
  const auto failed = trail.store().write([](sqlite::Transaction& tx) -> Result<> {
    TRY(audit::append(tx, a_step("never"), 1));
    return fail(Errc::conflict, "taken back");
  });
  CHECK_FALSE(failed);
  CHECK(trail.append(a_step("two")) == 2);
  CHECK(trail.verify().problem.empty());
  CHECK(trail.verify().leaves == 2);
}

TEST_CASE("an untouched trail holds, and holds against a head kept elsewhere") {
  Trail trail;
  CHECK(trail.verify().problem.empty());
  trail.append_five();
  const auto verified = trail.verify();
  CHECK(verified.problem.empty());
  CHECK(verified.bad_sequence == 0);
  CHECK(verified.leaves == 5);
  CHECK(verified.head == trail.list().front().chain);
  const std::string third = trail.list()[2].chain;
  CHECK(trail.verify(Head({3, third})).problem.empty());
}

TEST_CASE("our own code cannot change or delete a leaf") {
  Trail trail;
  trail.append_five();
  for (const char* sql :
       {"DELETE FROM audit_leaf WHERE sequence = 5", "UPDATE audit_leaf SET leaf = '{}'"}) {
    CHECK_FALSE(trail.store().write([&](sqlite::Transaction& tx) { return tx.exec(sql); }));
  }
  CHECK(trail.verify().leaves == 5);
}

TEST_CASE("an edited leaf is found") {
  Trail trail;
  trail.append_five();
  trail.tamper(
      "UPDATE audit_leaf SET leaf = replace(leaf, 'uid', 'gid') || '' WHERE sequence = 3;"
      "UPDATE audit_leaf SET leaf = replace(leaf, '\"ok\"', '\"no\"') WHERE sequence = 3;");
  const auto verified = trail.verify();
  CHECK(verified.bad_sequence == 3);
  CHECK(verified.problem == "leaf 3 does not fit its chain value");
}

TEST_CASE("a leaf that is no JSON any more is found") {
  Trail trail;
  trail.append_five();
  trail.tamper("UPDATE audit_leaf SET leaf = 'gone' WHERE sequence = 3");
  CHECK(trail.verify().bad_sequence == 3);
}

TEST_CASE("an edited chain value is found") {
  Trail trail;
  trail.append_five();
  trail.tamper("UPDATE audit_leaf SET chain = zeroblob(32) WHERE sequence = 5");
  CHECK(trail.verify().bad_sequence == 5);
}

TEST_CASE("a searchable column that says something else than its leaf is found") {
  Trail trail;
  trail.append_five();
  trail.tamper("UPDATE audit_leaf SET application = 'other/dev@eu-1' WHERE sequence = 4");
  CHECK(trail.verify().problem == "the columns beside leaf 4 say something else than the leaf");
  trail.tamper("UPDATE audit_leaf SET application = NULL WHERE sequence = 4");
  CHECK(trail.verify().bad_sequence == 4);
}

TEST_CASE("a deleted leaf is found, also when the rest was moved up and chained anew") {
  Trail trail;
  trail.append_five();
  trail.tamper("DELETE FROM audit_leaf WHERE sequence = 2");
  CHECK(trail.verify().bad_sequence == 2);
  CHECK(trail.verify().problem == "leaf 2 is missing");
  trail.tamper("UPDATE audit_leaf SET sequence = sequence - 1 WHERE sequence > 2");
  CHECK(trail.verify().problem == "leaf 2 does not fit its chain value");
  trail.chain_anew();
  CHECK(trail.verify().problem == "leaf 2 is not at its place");
}

TEST_CASE("two leaves that changed places are found, also when chained anew") {
  Trail trail;
  trail.append_five();
  trail.tamper(
      "UPDATE audit_leaf SET sequence = 99 WHERE sequence = 2;"
      "UPDATE audit_leaf SET sequence = 2 WHERE sequence = 4;"
      "UPDATE audit_leaf SET sequence = 4 WHERE sequence = 99;");
  CHECK(trail.verify().bad_sequence == 2);
  trail.chain_anew();
  CHECK(trail.verify().problem == "leaf 2 is not at its place");
}

TEST_CASE("a trail whose end was cut off is found with a head kept elsewhere, and only so") {
  Trail trail;
  trail.append_five();
  const Head head({5, head_of(trail)});
  trail.tamper("DELETE FROM audit_leaf WHERE sequence > 3");
  CHECK(trail.verify().problem.empty());
  CHECK(trail.verify(head).bad_sequence == 4);
  CHECK(trail.verify(head).problem.find("its end was cut off") != std::string::npos);
}

TEST_CASE("a trail that was written anew is found with a head kept elsewhere, and only so") {
  Trail trail;
  trail.append_five();
  const Head head({4, trail.list()[1].chain});
  trail.tamper("UPDATE audit_leaf SET leaf = replace(leaf, '\"ok\"', '\"no\"') WHERE sequence = 2");
  trail.chain_anew();
  CHECK(trail.verify().problem.empty());
  CHECK(trail.verify(head).bad_sequence == 4);
  CHECK(trail.verify(head).problem.find("written anew") != std::string::npos);
}

TEST_CASE("leaves are found by what they are about, newest first") {
  Trail trail;
  auto first = a_step("job.claimed");
  first.commit = "abc123";
  auto second = a_step("job.settled", "api/dev@eu-1");
  second.new_oid = "abc999";
  auto third = a_step("push.refused", "");
  third.repository = "other";
  third.actor = {"gitea:bo", "Bo", Assurance::platform};
  trail.append(first, 1000);
  trail.append(second, 2000);
  trail.append(third, 3000);
  const auto found = [&](const std::function<void(audit::Filter&)>& set) {
    audit::Filter filter;
    set(filter);
    std::vector<std::int64_t> sequences;
    for (const auto& row : trail.list(filter)) sequences.push_back(row.sequence);
    return sequences;
  };
  using Found = std::vector<std::int64_t>;
  CHECK(found([](auto&) {}) == Found{3, 2, 1});
  CHECK(found([](auto& f) { f.application = "web/dev@eu-1"; }) == Found{1});
  CHECK(found([](auto& f) { f.repository = "shop"; }) == Found{2, 1});
  CHECK(found([](auto& f) { f.commit = "abc"; }) == Found{2, 1});
  CHECK(found([](auto& f) { f.commit = "abc1"; }) == Found{1});
  CHECK(found([](auto& f) { f.verb = "job.*"; }) == Found{2, 1});
  CHECK(found([](auto& f) { f.verb = "job.settled"; }) == Found{2});
  CHECK(found([](auto& f) { f.actor = "gitea:bo"; }) == Found{3});
  CHECK(found([](auto& f) { f.actor = "Ana Lovelace"; }) == Found{2, 1});
  CHECK(found([](auto& f) { f.since = 2000; }) == Found{3, 2});
  CHECK(found([](auto& f) { f.until = 2000; }) == Found{1});
  CHECK(found([](auto& f) { f.after_sequence = 2; }) == Found{3});
  CHECK(found([](auto& f) { f.limit = 1; }) == Found{3});
}

TEST_CASE("an actor has one pseudonym under all its names, and no name stands in a leaf") {
  Trail trail;
  auto renamed = a_step("b");
  renamed.actor.name = "Ana King";
  trail.append(a_step("a"));
  trail.append(renamed);
  const auto rows = trail.list();
  const Json second = Json::parse(rows[0].leaf);
  const Json first = Json::parse(rows[1].leaf);
  CHECK(first["actor"] == second["actor"]);
  CHECK(first["actor_commitment"] != second["actor_commitment"]);
  CHECK(rows[0].actor_name == "Ana King");
  CHECK(rows[1].actor_name == "Ana Lovelace");
  for (const auto& row : rows) {
    CHECK(row.leaf.find("Ana") == std::string::npos);
    CHECK(row.leaf.find("uid:1000") == std::string::npos);
  }
}

TEST_CASE("an erased actor is nobody any more, and the trail still holds") {
  Trail trail;
  trail.append(a_step("a"));
  const std::string head = head_of(trail);
  CHECK(must(trail.store().write<int>(
            [](auto& tx) { return audit::erase_actor(tx, "uid:1000"); })) == 1);
  CHECK(trail.list().front().actor_name.empty());
  CHECK(trail.verify(Head({1, head})).problem.empty());
  const auto before = Json::parse(trail.list().front().leaf)["actor"];
  trail.append(a_step("b"));
  CHECK(Json::parse(trail.list().front().leaf)["actor"] != before);
  trail.tamper("");  // closes and opens: the log is folded in
  std::ifstream file(trail.folder() + "/a.db", std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  CHECK(bytes.find(before.get<std::string>()) != std::string::npos);
}

TEST_CASE("control characters and endless text of a pusher forge nothing and stay bounded") {
  Trail trail;
  auto entry = a_step("a");
  entry.reason = "x\x1b[31m\",\"sequence\":9,\"verb\":\"" + std::string(100'000, 'y');
  entry.detail = {{std::string(100'000, 'k'), "\xff\xfe"}};
  trail.append(entry);
  const auto row = trail.list().front();
  CHECK(row.leaf.size() < 20'000);
  CHECK(row.leaf.find('\x1b') == std::string::npos);
  CHECK(trail.verify().problem.empty());
}
