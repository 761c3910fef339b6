#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hooks/spool_record.h"
#include "tests/unit/hooks/push.h"

using namespace plumb;
using namespace plumb::test;

namespace {

const RefUpdate kMain{"refs/heads/main", std::string(40, '0'), std::string(40, 'a')};
const Actor kAna{"gitea:ana", "ana", Assurance::claimed};

std::vector<std::string> names(const TempFolder& folder) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "plumbline/spool"))
    found.push_back(entry.path().filename());
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

TEST_CASE("a record is there before the ref moves, in git's own order of things") {
  Push push;
  push.install();
  push.serve(accept_all);
  // An earlier reference-transaction hook sees what ours left: it runs before ours, so at committed
  // it sees the record of prepared, and the ref has not moved when prepared is over.
  const std::string path = push.bare() + "/hooks/reference-transaction.before-plumbline";
  std::ofstream(path)
      << "#!/bin/sh\ncat > /dev/null\nls plumbline/spool > seen-$1 2>/dev/null\nexit 0\n";
  REQUIRE(::chmod(path.c_str(), 0755) == 0);
  const std::string commit = push.commit("a", "1");
  REQUIRE(push.push().ok);
  std::string at_committed;
  std::getline(std::ifstream(push.bare() + "/seen-committed"), at_committed);
  CHECK(at_committed.ends_with(".prepared"));
  REQUIRE(push.spool().size() == 1);
  CHECK(push.spool()[0] == at_committed.substr(0, at_committed.rfind('.')) + ".committed");
}

TEST_CASE("a spool that cannot be written aborts the push, also that of root") {
  Push push;
  push.install();
  push.serve(accept_all);
  push.commit("a", "1");
  std::ofstream(push.bare() + "/plumbline") << "a file where the folder must be";
  const auto pushed = push.push();
  CHECK_FALSE(pushed.ok);
  CHECK(pushed.says("no ref moves without a record for plumbd"));
  CHECK(push.head().empty());
}

TEST_CASE("what git aborts leaves no record, and refs that deploy nothing never have one") {
  Push push;
  push.install();
  push.serve(accept_all);
  const std::string commit = push.commit("a", "1");
  REQUIRE(push.push({"origin", "main:refs/heads/topic"}).ok);
  CHECK(push.spool().empty());
  const auto update =
      push.run_git({"update-ref", "--stdin"}, push.bare(), {},
                   "start\ncreate refs/heads/main " + commit + "\nprepare\nabort\n");
  CHECK(update.exit.ok());
  CHECK(push.spool().empty());
  // Not a push at all: a person moves the ref on the server.
  push.git({"update-ref", "refs/heads/main", commit}, push.bare());
  CHECK(push.spool().size() == 1);
  // Packing reports what looks like a deletion. A record is a hint, so one too many is harmless;
  // one that never ends would not be.
  push.git({"pack-refs", "--all"}, push.bare());
  for (const auto& name : push.spool()) CHECK(name.ends_with(".committed"));
}

TEST_CASE("a record goes from prepared to committed by another process of the same git") {
  const TempFolder folder;
  folder.write("objects/x", "");
  must(hooks::Spool(folder.path(), 7).prepare({kMain}, kAna));
  REQUIRE(names(folder).size() == 1);
  CHECK(names(folder)[0].ends_with(".prepared"));
  std::ifstream file(folder / ("plumbline/spool/" + names(folder)[0]));
  const Json record = Json::parse(file);
  CHECK(record["v"] == 1);
  CHECK(record["uid"] == ::getuid());
  CHECK(record["refs"][0]["ref"] == "refs/heads/main");
  SECTION("and of the right transaction of two") {
    const RefUpdate other{"refs/heads/other", kMain.old_oid, kMain.new_oid};
    must(hooks::Spool(folder.path(), 7).prepare({other}, kAna));
    must(hooks::Spool(folder.path(), 7).commit({kMain}, kAna));
    int prepared = 0;
    for (const auto& name : names(folder)) prepared += name.ends_with(".prepared") ? 1 : 0;
    CHECK(prepared == 1);
  }
  SECTION("with a dispatcher between git and the hook") {
    must(hooks::Spool(folder.path(), 8).commit({kMain}, kAna));
    REQUIRE(names(folder).size() == 1);
    CHECK(names(folder)[0].ends_with(".committed"));
  }
  SECTION("an abort takes it away") {
    hooks::Spool(folder.path(), 7).abort({kMain});
    CHECK(names(folder).empty());
  }
  SECTION("a commit without a record writes one") {
    hooks::Spool(folder.path(), 7).abort({kMain});
    must(hooks::Spool(folder.path(), 7).commit({kMain}, kAna));
    REQUIRE(names(folder).size() == 1);
    CHECK(names(folder)[0].ends_with(".committed"));
  }
}

TEST_CASE("a commit removes what is older than seven days, and nothing that is not the spool's") {
  const TempFolder folder;
  folder.write("objects/x", "");
  for (const char* name : {"1-1-old.committed", "1-1-old.prepared", "somebody-elses"}) {
    const auto path = folder.write(std::string("plumbline/spool/") + name, "x");
    const timespec old[2] = {{1'700'000'000, 0}, {1'700'000'000, 0}};
    REQUIRE(::utimensat(AT_FDCWD, path.c_str(), old, 0) == 0);
  }
  must(hooks::Spool(folder.path(), 7).commit({kMain}, kAna));
  CHECK(names(folder).size() == 2);
  CHECK(names(folder)[1] == "somebody-elses");
}
