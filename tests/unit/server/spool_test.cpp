#include "tests/unit/server/rig.h"

namespace plumb::server {
namespace {

using test::config_map;
using test::Json;
using test::Plumbd;

struct Spooling : Plumbd {
  std::string commit = repo.commit({{"apps/web/dev/a.yaml", config_map("a")}});
  std::string spool = repo.path() + "/plumbline/spool/";
  Spooling() {
    repo.git({"update-ref", "refs/heads/main", commit});
    std::filesystem::create_directories(spool);
  }
  std::string record(const std::string& name, const std::string& reason = "release 7") {
    const Json value{
        {"v", 1},
        {"at", 1},
        {"uid", 1000},
        {"refs", {{{"ref", "refs/heads/main"}, {"old", std::string(40, '0')}, {"new", commit}}}},
        {"actor", {{"id", "gitea:ana"}, {"name", "Ana"}}},
        {"options", {"plumb.reason=" + reason}}};
    std::ofstream(spool + name) << value.dump() << "\n";
    return spool + name;
  }
  Json poke() { return result("poke", {{"repository_path", repo.path()}}); }
};

TEST_CASE(
    "a record that lay in the spool while plumbd was down becomes an event, with who and why") {
  Spooling plumbd;
  const std::string file = plumbd.record("1-2-a.committed");
  plumbd.start();
  static_cast<void>(plumbd.poke());
  plumbd.planned();
  CHECK_FALSE(std::filesystem::exists(file));
  Json found;
  const Json events = plumbd.result("events");
  for (const Json& event : events["events"]) {
    if (event["reason"] == "release 7") found = event;
  }
  REQUIRE_FALSE(found.is_null());
  CHECK(found["actor"] == "Ana");
  CHECK(found["assurance"] == "claimed");
  CHECK(plumbd.result("jobs")["jobs"].size() == 1);
}

TEST_CASE("a transaction that has not ended is left alone") {
  Spooling plumbd;
  plumbd.start();
  plumbd.planned();
  const std::string file = plumbd.record("9-9-b.prepared");
  CHECK(plumbd.poke()["events"] == 0);
  CHECK(std::filesystem::exists(file));
}

TEST_CASE("a file that is no record stands in nobody's way") {
  Spooling plumbd;
  std::ofstream(plumbd.spool + "1-1-a.committed") << "{torn";
  std::filesystem::create_symlink("/etc/passwd", plumbd.spool + "1-1-b.committed");
  plumbd.record("1-1-c.committed", "after");
  plumbd.start();
  static_cast<void>(plumbd.poke());
  plumbd.planned();
  CHECK(std::filesystem::is_empty(plumbd.spool));
  CHECK(plumbd.result("events").dump().find("after") != std::string::npos);
  CHECK(plumbd.result("events").dump().find("root:") == std::string::npos);
}

TEST_CASE("the same record twice makes one event") {
  Spooling plumbd;
  plumbd.start();
  plumbd.planned();
  plumbd.record("1-2-a.committed");
  const int first = plumbd.poke()["events"];
  plumbd.record("1-2-a.committed");
  CHECK(first + plumbd.poke()["events"].get<int>() <= 1);
}

}  // namespace
}  // namespace plumb::server
