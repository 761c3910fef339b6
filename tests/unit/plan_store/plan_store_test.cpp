#include "plan/plan_store.h"

#include "drivers/crypto/crypto.h"
#include "tests/support/must.h"
#include "tests/support/temp_folder.h"

using namespace plumb;
using namespace plumb::plan;
using namespace std::chrono_literals;
using test::must;

namespace {

const ProjectKey kKey(std::string(32, 'k'));
const ProjectKey kOtherKey(std::string(32, 'o'));
const AppId kWeb{"default", "web", "dev", "eu-1"};
const std::string kCanary = "canary-5f3a90-plan-secret";

Manifest an_object(const std::string& kind,
                   const std::string& name,
                   const std::string& json,
                   bool tainted = false) {
  Manifest made;
  made.key = {"v1", kind, "shop", name};
  made.json = json;
  made.tainted = tainted;
  made.hash = content_hash(json, tainted, kKey);
  made.place = {"apps/web/" + name + ".yaml", 3, 1};
  return made;
}

Manifest a_secret() {
  return an_object("Secret", "s",
                   R"({"data":{"p":")" + crypto::base64(kCanary) + R"("},"stringData":{"q":")" +
                       kCanary + "\"}}",
                   true);
}

Plan a_plan(std::vector<Manifest> objects) {
  Plan plan;
  plan.application.id = kWeb;
  plan.application.repository = "shop";
  plan.application.path = "apps/web";
  plan.application.engine = Engine::kustomize;
  plan.application.ns = "shop";
  plan.application.health_timeout = 90s;
  plan.application.on_delete = OnDelete::orphan;
  plan.application.declared_at = {"plumbline.yaml", 7, 2};
  plan.commit = std::string(40, 'a');
  plan.objects = std::move(objects);
  plan.digest = plan_digest(plan.application, plan.objects);
  return plan;
}

class Plans {
 public:
  Result<> save(const Plan& plan, UnixMillis now = 1000) {
    return store->write([&](sqlite::Transaction& tx) { return save_plan(tx, plan, kKey, now); });
  }
  Result<Plan> load(const std::string& digest, const ProjectKey& key = kKey) {
    return store->read<Plan>([&](sqlite::Connection& db) { return load_plan(db, digest, key); });
  }
  int sweep(const std::vector<std::string>& keep, UnixMillis before, int limit = 100) {
    return must(store->write<int>([&](auto& tx) { return sweep_plans(tx, keep, before, limit); }));
  }
  void remember(const CachedRender& render, const std::string& parameters = "p1") {
    must(store->write(
        [&](sqlite::Transaction& tx) { return remember_render(tx, kWeb, parameters, render, 1); }));
  }
  std::vector<CachedRender> renders(int limit = 10, const std::string& parameters = "p1") {
    return must(store->read<std::vector<CachedRender>>(
        [&](auto& db) { return remembered(db, kWeb, parameters, limit); }));
  }
  std::int64_t count(const std::string& table) {
    return must(store->read<std::int64_t>([&](sqlite::Connection& db) -> Result<std::int64_t> {
      auto row = TRY(db.prepare("SELECT count(*) FROM " + table));
      static_cast<void>(TRY(row.step()));
      return row.integer(0);
    }));
  }
  /// Everything of the database that is on disk.
  std::string bytes() const {
    std::string all;
    for (const char* name : {"p.db", "p.db-wal", "p.db-shm"}) {
      std::ifstream file(folder_ / name, std::ios::binary);
      all.append(std::istreambuf_iterator<char>(file), {});
    }
    return all;
  }

 private:
  test::TempFolder folder_;

 public:
  std::unique_ptr<sqlite::Store> store = must(sqlite::Store::open(folder_ / "p.db", {schema()}));
};

}  // namespace

TEST_CASE("a plan is loaded byte for byte as it was saved") {
  Plans plans;
  const Plan plan = a_plan({an_object("ConfigMap", "a", R"({"data":{"x":"1"}})"), a_secret()});
  must(plans.save(plan));
  const Plan loaded = must(plans.load(plan.digest));
  CHECK(loaded.digest == plan.digest);
  CHECK(loaded.commit == plan.commit);
  CHECK_FALSE(loaded.remove_application);
  CHECK(loaded.application.id == kWeb);
  CHECK(loaded.application.engine == Engine::kustomize);
  CHECK(loaded.application.ns == "shop");
  CHECK(loaded.application.health_timeout == 90s);
  CHECK(loaded.application.on_delete == OnDelete::orphan);
  CHECK(loaded.application.prune);
  CHECK(loaded.application.declared_at == plan.application.declared_at);
  REQUIRE(loaded.objects.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(loaded.objects[i].json == plan.objects[i].json);
    CHECK(loaded.objects[i].hash == plan.objects[i].hash);
    CHECK(loaded.objects[i].tainted == plan.objects[i].tainted);
    CHECK(loaded.objects[i].key.identity() == plan.objects[i].key.identity());
    CHECK(loaded.objects[i].place == plan.objects[i].place);
  }
}

TEST_CASE("a removal is loaded as one") {
  Plans plans;
  Plan plan = a_plan({});
  plan.remove_application = true;
  must(plans.save(plan));
  CHECK(must(plans.load(plan.digest)).remove_application);
}

TEST_CASE("secret values are in no byte on disk, neither plain nor base64 nor as a plain hash") {
  Plans plans;
  const Plan plan =
      a_plan({an_object("ConfigMap", "a", R"({"data":{"x":"seen-on-disk"}})"), a_secret()});
  must(plans.save(plan));
  const std::string disk = plans.bytes();
  REQUIRE(disk.find(plan.objects[1].hash) != std::string::npos);  // the blob is there
  CHECK(disk.find("seen-on-disk") != std::string::npos);  // and short plain text would be seen
  CHECK(disk.find(kCanary) == std::string::npos);
  CHECK(disk.find(crypto::base64(kCanary).substr(0, 24)) == std::string::npos);
  CHECK(disk.find(crypto::sha256_hex(plan.objects[1].json)) == std::string::npos);
  CHECK(disk.find(kKey.bytes()) == std::string::npos);
}

TEST_CASE("a sealed object opens under its project's key only") {
  Plans plans;
  const Plan plan = a_plan({a_secret()});
  must(plans.save(plan));
  const auto refused = plans.load(plan.digest, kOtherKey);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("sealed under another key") != std::string::npos);
  CHECK(refused.error().message.find(kCanary) == std::string::npos);
}

TEST_CASE("a sealed object does not open in the place of another") {
  Plans plans;
  const Plan plan =
      a_plan({a_secret(), an_object("Secret", "t", R"({"data":{"p":"eA=="}})", true)});
  must(plans.save(plan));
  must(plans.store->write([](sqlite::Transaction& tx) {
    return tx.exec(
        "UPDATE plan_blob SET body = (SELECT body FROM plan_blob ORDER BY hash LIMIT 1)");
  }));
  CHECK(plans.load(plan.digest).error().code == Errc::conflict);
}

TEST_CASE("an object that was changed on disk is not given out") {
  Plans plans;
  const Plan plan = a_plan({an_object("ConfigMap", "a", R"({"data":{"x":"1"}})"),
                            an_object("ConfigMap", "b", R"({"data":{"x":"2"}})")});
  must(plans.save(plan));
  const auto with = [&](const std::string& sql) {
    must(plans.store->write([&](sqlite::Transaction& tx) { return tx.exec(sql); }));
    return plans.load(plan.digest).error().code;
  };
  CHECK(with("UPDATE plan_blob SET body = (SELECT body FROM plan_blob ORDER BY hash LIMIT 1)") ==
        Errc::conflict);
  CHECK(with("UPDATE plan_blob SET body = x'00112233'") == Errc::conflict);
  CHECK(with("DELETE FROM plan_blob") == Errc::conflict);
}

TEST_CASE("saving a plan again mends what was damaged of it, sealed or not") {
  Plans plans;
  const Plan plan = a_plan({an_object("ConfigMap", "a", R"({"data":{"x":"1"}})"), a_secret()});
  const std::string damage =
      GENERATE("UPDATE plan_blob SET body = x'00112233'", "DELETE FROM plan_blob",
               "UPDATE plan_blob SET sealed = 1 - sealed",
               "UPDATE plan_blob SET body = (SELECT body FROM plan_blob ORDER BY hash LIMIT 1)");
  must(plans.save(plan));
  must(plans.store->write([&](sqlite::Transaction& tx) { return tx.exec(damage); }));
  REQUIRE_FALSE(plans.load(plan.digest));
  must(plans.save(plan));
  CHECK(must(plans.load(plan.digest)).objects.size() == 2);
}

TEST_CASE("a new plan does not rest on another's damaged object") {
  Plans plans;
  const auto shared = an_object("ConfigMap", "a", R"({"data":{"x":"1"}})");
  must(plans.save(a_plan({shared})));
  must(plans.store->write(
      [](sqlite::Transaction& tx) { return tx.exec("UPDATE plan_blob SET body = x'00112233'"); }));
  const Plan two = a_plan({shared, an_object("ConfigMap", "b", R"({"data":{"x":"2"}})")});
  must(plans.save(two));
  CHECK(plans.load(two.digest).has_value());
}

TEST_CASE("an unknown plan is invalid and says what to do") {
  Plans plans;
  const auto missing = plans.load("nope");
  CHECK(missing.error().code == Errc::invalid);
  CHECK_FALSE(missing.error().hint.empty());
}

TEST_CASE("equal objects of many plans are stored once, and a known plan adds nothing") {
  Plans plans;
  const auto shared = an_object("ConfigMap", "a", R"({"data":{"x":"1"}})");
  const Plan one = a_plan({shared});
  const Plan two = a_plan({shared, an_object("ConfigMap", "b", R"({"data":{"x":"2"}})")});
  must(plans.save(one));
  must(plans.save(two));
  must(plans.save(one));
  CHECK(plans.count("plan") == 2);
  CHECK(plans.count("plan_blob") == 2);
  CHECK(plans.count("plan_object") == 3);
}

TEST_CASE("sweeping takes old plans that nobody names, then the objects that only they had") {
  Plans plans;
  const auto shared = an_object("ConfigMap", "a", R"({"data":{"x":"1"}})");
  const Plan old = a_plan({shared, an_object("ConfigMap", "b", R"({"data":{"x":"2"}})")});
  const Plan kept = a_plan({shared});
  const Plan fresh = a_plan({an_object("ConfigMap", "c", R"({"data":{"x":"3"}})")});
  must(plans.save(old, 1000));
  must(plans.save(kept, 1000));
  must(plans.save(fresh, 3000));
  plans.remember({old.digest, {}});
  CHECK(plans.sweep({kept.digest}, 2000) == 1);
  CHECK_FALSE(plans.load(old.digest));
  CHECK(must(plans.load(kept.digest)).objects.size() == 1);
  CHECK(must(plans.load(fresh.digest)).objects.size() == 1);
  CHECK(plans.count("plan_blob") == 2);
  CHECK(plans.renders().empty());  // a cached render never names a plan that is gone
}

TEST_CASE("a plan that was saved again is young again, and a sweep stops at its limit") {
  Plans plans;
  std::vector<Plan> all;
  for (const char* name : {"a", "b", "c"})
    all.push_back(a_plan({an_object("ConfigMap", name, "{}")}));
  for (const Plan& plan : all) must(plans.save(plan, 1000));
  must(plans.save(all[0], 5000));
  CHECK(plans.sweep({}, 2000, 1) == 1);
  CHECK(plans.sweep({}, 2000, 10) == 1);
  CHECK(plans.sweep({}, 2000, 10) == 0);
  must(plans.load(all[0].digest));
}

TEST_CASE("renders are remembered with what they read, newest first, apart by parameters") {
  Plans plans;
  const Closure first{{Looked::file, "apps/web/a.yaml", "1111"},
                      {Looked::absent, "apps/web/b\n.yaml", ""}};
  const Closure second{
      {Looked::listing, "apps/web", "2222"}, {Looked::link, "l", "3"}, {Looked::folder, "f", ""}};
  plans.remember({"d1", first});
  plans.remember({"d2", second});
  plans.remember({"d3", {}}, "p2");
  auto found = plans.renders();
  REQUIRE(found.size() == 2);
  CHECK(found[0].plan_digest == "d2");
  CHECK(found[0].closure == second);
  CHECK(found[1].closure == first);
  plans.remember({"d1", first});  // a revert: it is the newest again, not twice there
  found = plans.renders();
  REQUIRE(found.size() == 2);
  CHECK(found[0].plan_digest == "d1");
  CHECK(plans.renders(1).size() == 1);
  CHECK(plans.renders(10, "p2").front().plan_digest == "d3");
  CHECK(plans.renders(10, "p3").empty());
}

TEST_CASE("the render cache of an application is bounded") {
  Plans plans;
  for (int i = 0; i < 100; ++i) plans.remember({"d", {{Looked::file, "a", std::to_string(i)}}});
  const auto found = plans.renders(1000);
  CHECK(found.size() == 32);
  CHECK(found.front().closure.front().value == "99");
}
