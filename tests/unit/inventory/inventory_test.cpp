#include "apply/inventory.h"

#include "tests/support/must.h"
#include "tests/support/temp_folder.h"

using namespace plumb;
using namespace plumb::apply;
using test::must;
using State = InventoryItem::State;

namespace {

const AppId kWeb{"default", "web", "dev", "eu-1"};
const AppId kApi{"team", "api", "dev", "eu-1"};

InventoryItem an_item(const std::string& name, const std::string& hash = "h1") {
  InventoryItem item;
  item.key = {"apps/v1", "Deployment", "shop", name};
  item.hash = hash;
  item.wave = 2;
  return item;
}

InventoryItem an_applied(const std::string& name, const std::string& uid) {
  InventoryItem item = an_item(name);
  item.uid = uid;
  item.resource_version = "7";
  return item;
}

class Inventory {
 public:
  Result<> intend(const AppId& app,
                  const std::vector<InventoryItem>& items,
                  const std::vector<std::string>& take_over = {}) {
    return store_->write(
        [&](sqlite::Transaction& tx) { return apply::intend(tx, app, items, take_over); });
  }
  Result<> applied(const AppId& app, const std::vector<InventoryItem>& items) {
    return store_->write([&](sqlite::Transaction& tx) { return apply::applied(tx, app, items); });
  }
  Result<> gone(const AppId& app, const std::vector<std::string>& identities) {
    return store_->write([&](sqlite::Transaction& tx) { return apply::gone(tx, app, identities); });
  }
  Result<> bind(const std::string& cluster, const std::string& uid) {
    return store_->write(
        [&](sqlite::Transaction& tx) { return bind_cluster_uid(tx, cluster, uid); });
  }
  std::vector<InventoryItem> of(const AppId& app) {
    return must(
        store_->read<std::vector<InventoryItem>>([&](auto& db) { return inventory(db, app); }));
  }
  std::optional<AppId> holder_of(const std::string& identity, const std::string& cluster = "eu-1") {
    return must(store_->read<std::optional<AppId>>(
        [&](auto& db) { return holder(db, cluster, identity); }));
  }

 private:
  test::TempFolder folder_;
  std::unique_ptr<sqlite::Store> store_ = must(sqlite::Store::open(folder_ / "i.db", {schema()}));
};

const std::string kX = an_item("x").key.identity();

}  // namespace

TEST_CASE("an object is on record before it is applied, and complete after") {
  Inventory all;
  must(all.intend(kWeb, {an_item("x")}));
  auto item = all.of(kWeb).front();
  CHECK(item.state == State::intended);
  CHECK(item.uid.empty());
  CHECK(item.key.identity() == kX);
  CHECK(item.key.api_version == "apps/v1");
  CHECK(item.wave == 2);
  must(all.applied(kWeb, {an_applied("x", "u1")}));
  item = all.of(kWeb).front();
  CHECK(item.state == State::applied);
  CHECK(item.uid == "u1");
  CHECK(item.resource_version == "7");
  CHECK(all.holder_of(kX) == kWeb);
}

TEST_CASE("a second intent keeps the uid and distrusts what was applied") {
  Inventory all;
  must(all.intend(kWeb, {an_item("x")}));
  must(all.applied(kWeb, {an_applied("x", "u1")}));
  must(all.intend(kWeb, {an_item("x", "h2")}));
  const auto item = all.of(kWeb).front();
  CHECK(item.state == State::intended);
  CHECK(item.hash == "h2");
  CHECK(item.uid == "u1");
}

TEST_CASE("an object of another application is refused by name, and nothing of the call is kept") {
  Inventory all;
  must(all.intend(kWeb, {an_item("x")}));
  const auto refused = all.intend(kApi, {an_item("y"), an_item("x")});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::conflict);
  CHECK(refused.error().message == "Deployment shop/x on cluster 'eu-1' belongs to 'web/dev@eu-1'");
  CHECK_FALSE(refused.error().hint.empty());
  CHECK(all.of(kApi).empty());
  CHECK(all.holder_of(kX) == kWeb);
}

TEST_CASE(
    "a take-over changes the holder and keeps the uid, and the old holder can touch it no more") {
  Inventory all;
  must(all.intend(kWeb, {an_item("x")}));
  must(all.applied(kWeb, {an_applied("x", "u1")}));
  must(all.intend(kApi, {an_item("x", "h2")}, {kX}));
  CHECK(all.holder_of(kX) == kApi);
  CHECK(all.of(kWeb).empty());
  CHECK(all.of(kApi).front().uid == "u1");
  CHECK(all.applied(kWeb, {an_applied("x", "u9")}).error().code == Errc::conflict);
  must(all.gone(kWeb, {kX}));
  CHECK(all.holder_of(kX) == kApi);
  CHECK(all.of(kApi).front().uid == "u1");
}

TEST_CASE("two versions of a kind are one object, the same name on another cluster is another") {
  Inventory all;
  must(all.intend(kWeb, {an_item("x")}));
  auto other_version = an_item("x");
  other_version.key.api_version = "apps/v1beta1";
  CHECK_FALSE(all.intend(kApi, {other_version}));
  AppId far = kApi;
  far.cluster = "us-1";
  must(all.intend(far, {an_item("x")}));
  CHECK(all.holder_of(kX) == kWeb);
  CHECK(all.holder_of(kX, "us-1") == far);
}

TEST_CASE("what is gone is held by nobody, and gone twice is no error") {
  Inventory all;
  must(all.intend(kWeb, {an_item("x"), an_item("y")}));
  must(all.gone(kWeb, {kX}));
  must(all.gone(kWeb, {kX}));
  CHECK_FALSE(all.holder_of(kX));
  CHECK(all.of(kWeb).size() == 1);
}

TEST_CASE("what was never intended cannot have been applied") {
  Inventory all;
  CHECK(all.applied(kWeb, {an_applied("x", "u1")}).error().code == Errc::conflict);
  CHECK(all.of(kWeb).empty());
}

TEST_CASE("another cluster behind a known name is refused for ever") {
  Inventory all;
  must(all.bind("eu-1", "aaaa"));
  must(all.bind("eu-1", "aaaa"));
  must(all.bind("us-1", "bbbb"));
  const auto refused = all.bind("eu-1", "cccc");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::conflict);
  CHECK(refused.error().message.find("'eu-1' is another cluster than before") != std::string::npos);
  CHECK(refused.error().message.find("aaaa") != std::string::npos);
  must(all.bind("eu-1", "aaaa"));
  CHECK(all.bind("eu-1", "").error().code == Errc::invalid);
}
