#include <fstream>

#include <sys/stat.h>

#include "tests/unit/worker/rig.h"
#include "worker/keys.h"
#include "worker/schema_file.h"

namespace plumb::worker {
namespace {

using test::an_app;
using test::must;
using test::must_fail;
using test::TempFolder;

TEST_CASE("an object that moves from one application to another always has one owner") {
  Claims claims;
  claims.set(an_app("a").id, {"/ConfigMap/x/moved", "/ConfigMap/x/kept"});
  SECTION("new owner first") {
    claims.set(an_app("b").id, {"/ConfigMap/x/moved"});
    claims.set(an_app("a").id, {"/ConfigMap/x/kept"});
  }
  SECTION("old owner first") {
    claims.set(an_app("a").id, {"/ConfigMap/x/kept"});
    claims.set(an_app("b").id, {"/ConfigMap/x/moved"});
  }
  CHECK(claims.owner("eu-1", "/ConfigMap/x/moved") == an_app("b").id);
  CHECK(claims.owner("eu-1", "/ConfigMap/x/kept") == an_app("a").id);
  CHECK_FALSE(claims.owner("us-1", "/ConfigMap/x/kept"));
}

TEST_CASE("frames say the same after the wire") {
  WorkOrder order;
  order.plan.digest = "d";
  order.plan.application = an_app("web");
  order.plan.application.on_delete = OnDelete::orphan;
  order.plan.application.prune = false;
  order.plan.objects = {test::a_config_map("web-dev", "web", "\\\"\xc3\xa4")};
  order.plan.remove_application = true;
  order.claimed_elsewhere = {"x"};
  order.prune_confirmed = order.reapply_unchanged = true;
  order.hold = "suspended";
  const auto back = must(decode_work_order(encode(7, order)));
  CHECK(back.plan.objects.at(0).json == order.plan.objects[0].json);
  CHECK(back.plan.objects.at(0).key.identity() == order.plan.objects[0].key.identity());
  CHECK(back.plan.application.on_delete == OnDelete::orphan);
  CHECK_FALSE(back.plan.application.prune);
  CHECK(back.plan.remove_application);
  CHECK(back.claimed_elsewhere == order.claimed_elsewhere);
  CHECK(back.prune_confirmed);
  CHECK(back.hold == "suspended");
  const Error error{Errc::denied, "no"};
  const auto answer = must(decode_answer(encode_answer(7, 5, &error)));
  CHECK(answer.error.code == Errc::denied);
  CHECK_FALSE(answer.ok);
  CHECK_FALSE(decode_worker_call("[1]"));
  CHECK_FALSE(decode_job_order("{"));
}

TEST_CASE("a project's key is made once, private, and the same after a restart") {
  TempFolder folder;
  std::string bytes;
  {
    Keys keys(folder / "keys");
    must(keys.open({"default", "team"}));
    bytes = keys.key_of("default").bytes();
    CHECK(bytes.size() == 32);
    CHECK(bytes != keys.key_of("team").bytes());
  }
  Keys keys(folder / "keys");
  must(keys.open({"default"}));
  CHECK(keys.key_of("default").bytes() == bytes);
  struct stat info {};
  REQUIRE(::stat((folder / "keys/default.key").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777U) == 0600U);
  SECTION("one that others may read is refused") {
    ::chmod((folder / "keys/default.key").c_str(), 0644);
    const auto error = must_fail(Keys(folder / "keys").open({"default"}));
    CHECK(error.hint == "chmod 600 " + (folder / "keys/default.key"));
  }
  SECTION("half a key is refused") {
    std::ofstream(folder / "keys/default.key") << "short";
    CHECK(must_fail(Keys(folder / "keys").open({"default"})).code == Errc::fault);
  }
}

TEST_CASE("a schema survives a restart, and a torn file is as none") {
  TempFolder folder;
  kube::SchemaSnapshot snapshot;
  snapshot.key = "k";
  snapshot.version = "1.34";
  snapshot.documents = {{"api/v1", "h", std::make_shared<const std::string>("{\"a\":1}")}};
  must(save_snapshot(folder / "eu-1.zst", snapshot, 42));
  const auto kept = load_snapshot(folder / "eu-1.zst");
  REQUIRE(kept);
  CHECK(kept->read_at == 42);
  CHECK(*kept->snapshot->documents.at(0).text == "{\"a\":1}");
  std::ofstream(folder / "eu-1.zst", std::ios::trunc) << "torn";
  CHECK_FALSE(load_snapshot(folder / "eu-1.zst"));
  CHECK_FALSE(load_snapshot(folder / "none.zst"));
}

}  // namespace
}  // namespace plumb::worker
