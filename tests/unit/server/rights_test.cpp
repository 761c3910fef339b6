#include <thread>

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/server/rig.h"

namespace plumb::server {
namespace {

using test::config_map;
using test::Json;
using test::Plumbd;

constexpr long kStranger = 65534;

/// Runs on a thread that is another user: the system call, unlike libc's function, changes one
/// thread.
template <class Run>
void as_stranger(Run&& run) {
  std::thread([&] {
    REQUIRE(::syscall(SYS_setresuid, -1, kStranger, -1) == 0);
    run();
  }).join();
}

struct OpenPlumbd : Plumbd {
  OpenPlumbd() {
    // The way to socket and repository is open to every user; rights are decided per call.
    ::chmod(folder().path().c_str(), 0755);
    ::chmod(repo.folder().path().c_str(), 0755);
    config.socket = folder() / "plumbd.sock";
  }
};

TEST_CASE("a user who is no writer may read and change nothing", "[root]") {
  if (::geteuid() != 0) return;  // only root can become somebody else
  OpenPlumbd plumbd;
  plumbd.start();
  plumbd.push({{"apps/web/dev/a.yaml", config_map("a")}});
  Json read, suspend, scan;
  as_stranger([&] {
    read = plumbd.ask("apps");
    suspend = plumbd.ask("suspend", {{"application", "web"}});
    scan = plumbd.ask("scan");
  });
  CHECK(read["result"]["applications"].size() == 1);
  CHECK(suspend["error"]["code"] == "denied");
  CHECK(suspend["error"]["message"] == "you (uid:65534) may not suspend here");
  CHECK(scan["error"]["code"] == "denied");
  CHECK_FALSE(plumbd.result("apps")["applications"][0]["suspended"].get<bool>());
}

TEST_CASE("a user whom the server's file names may write, and the trail says who it was",
          "[root]") {
  if (::geteuid() != 0) return;
  OpenPlumbd plumbd;
  plumbd.config.writers = {kStranger};
  plumbd.start();
  plumbd.push({{"apps/web/dev/a.yaml", config_map("a")}});
  Json suspend;
  as_stranger([&] {
    suspend = plumbd.ask("suspend", {{"application", "web"}, {"reason", "mine"}});
  });
  CHECK(suspend.contains("result"));
  const Json rows = plumbd.result("audit_list", {{"verb", "command.suspend"}})["rows"];
  REQUIRE(rows.size() == 1);
  CHECK(rows[0]["leaf"]["assurance"] == "peer-uid");
  CHECK(rows[0]["leaf"]["reason"] == "mine");
}

TEST_CASE("a hook speaks only for a repository that its user owns", "[root]") {
  if (::geteuid() != 0) return;
  OpenPlumbd plumbd;
  plumbd.start();
  const Json params{{"repository_path", plumbd.repo.path()}, {"refs", Json::array()}};
  Json judged;
  as_stranger([&] { judged = plumbd.ask("pre_receive", params); });
  CHECK(judged["error"]["code"] == "denied");
  CHECK(plumbd.ask("pre_receive", params).contains("result"));
  CHECK(plumbd.error("poke", {{"repository_path", "/"}})["code"] == "invalid");
}

TEST_CASE("a hook cannot lead plumbd to objects outside its repository") {
  Plumbd plumbd;
  plumbd.start();
  test::TempRepo other;
  const std::string foreign = other.commit({{"apps/spy/dev/a.yaml", config_map("private")}});
  const Json answer = plumbd.ask(
      "pre_receive",
      {{"repository_path", plumbd.repo.path()},
       {"refs", {{{"ref", "refs/heads/main"}, {"old", std::string(40, '0')}, {"new", foreign}}}},
       {"object_dirs", {other.path() + "/objects"}}});
  CHECK(answer.contains("error"));
  CHECK(answer.dump().find("private") == std::string::npos);
}

TEST_CASE("a push judged by its hook names application, objects and their number") {
  Plumbd plumbd;
  plumbd.start();
  const std::string commit = plumbd.repo.commit({{"apps/web/dev/a.yaml", config_map("a")}});
  const Json verdict = plumbd.result(
      "pre_receive",
      {{"repository_path", plumbd.repo.path()},
       {"refs", {{{"ref", "refs/heads/main"}, {"old", std::string(40, '0')}, {"new", commit}}}}});
  CHECK(verdict["accepted"].get<bool>());
  CHECK(verdict["applications"][0]["application"] == "web/dev@eu-1");
  CHECK(verdict["applications"][0]["created"] == 1);
  CHECK(verdict["applications_total"] == 1);
}

TEST_CASE("a ref name that git would not make is refused") {
  Plumbd plumbd;
  plumbd.start();
  const std::string zero(40, '0');
  const auto refs = [&](const std::string& ref) {
    return Json{{"repository_path", plumbd.repo.path()},
                {"refs", {{{"ref", ref}, {"old", zero}, {"new", zero}}}}};
  };
  for (const char* ref : {"main", "refs/heads/a..b", "refs/heads/a\nb", ""}) {
    CAPTURE(ref);
    CHECK(plumbd.error("pre_receive", refs(ref))["code"] == "invalid");
  }
}

}  // namespace
}  // namespace plumb::server
