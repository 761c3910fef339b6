#include <filesystem>

#include "drivers/git/object_folders.h"
#include "tests/unit/git/both.h"

using namespace plumb;
using namespace plumb::test;

TEST_CASE("objects in a push's quarantine are read only by who is told of it", "[git]") {
  const TempRepo repo(init_of(each_format()));
  const std::string old = repo.commit({{"a", "1"}});
  repo.git({"update-ref", "refs/heads/main", old});
  const std::string quarantine = repo.path() + "/objects/tmp_objdir-incoming-Xy:1";
  std::filesystem::create_directories(quarantine);
  const std::vector<std::string> as_receive_pack{
      "GIT_OBJECT_DIRECTORY=" + quarantine,
      "GIT_ALTERNATE_OBJECT_DIRECTORIES=" + repo.path() + "/objects"};
  const std::string blob = repo.git({"hash-object", "-w", "--stdin"}, "2", as_receive_pack);
  const std::string tree = repo.git({"mktree"}, "100644 blob " + blob + "\ta\n", as_receive_pack);
  const std::string pushed =
      repo.git({"commit-tree", "-m", "new", "-p", old, tree}, "", as_receive_pack);

  CHECK(must_fail(open(repo)->commit(pushed)).code == Errc::invalid);
  CHECK_FALSE(must(open(repo)->contains(pushed)));
  const auto told = open(repo, {quarantine});
  CHECK(must(told->commit(pushed)).tree == tree);
  CHECK(must(told->blob(blob, 10)) == "2");
  CHECK(must(told->count_commits(old, pushed, 10)) == 1);
  const auto changes = must(told->diff(must(told->commit(old)).tree, tree));
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].after->oid == blob);
}

TEST_CASE("alternates are followed, quoted ones too", "[git]") {
  const std::string format = each_format();
  const TempRepo base(init_of(format));
  const std::string commit = base.commit({{"a", "1"}});
  const TempRepo fork(init_of(format));
  std::string line = base.path() + "/objects\n";
  SECTION("plain") {}
  SECTION("quoted") {
    line = "\"" + base.path() + "/\\157bjects\"\n";
  }
  SECTION("among comments and folders that are gone") {
    line = "# shared\n/nowhere\n" + line;
  }
  fork.folder().write("repo.git/objects/info/alternates", line);
  CHECK(must(open(fork)->commit(commit)).oid == commit);
}

TEST_CASE("alternates that lead in a circle end", "[git]") {
  const TempFolder folder;
  folder.write("a/info/alternates", "../b\n");
  folder.write("b/info/alternates", folder.path() + "/a\n");
  const auto found = must(git::object_folders({folder / "a", folder / "absent"}));
  REQUIRE(found.size() == 2);
  CHECK(found[0] == std::filesystem::canonical(folder / "a"));
}

TEST_CASE("alternates nested deeper than git follows them are refused", "[git]") {
  const TempFolder folder;
  for (int i = 0; i < 10; ++i)
    folder.write(std::to_string(i) + "/info/alternates", "../" + std::to_string(i + 1) + "\n");
  folder.write("10/x", "");
  const Error error = must_fail(git::object_folders({folder / "0"}));
  CHECK(error.code == Errc::invalid);
  CHECK(error.message.find("nested too deep") != std::string::npos);
}

TEST_CASE("a line of alternates that is quoted wrongly is left out", "[git]") {
  CHECK(git::parse_alternates(
            "\"a\\tb\\303\\244\\\"\"\n\"open\n\"bad\\9\"\n\"x\"y\n#no\n\nplain\r\n") ==
        std::vector<std::string>{"a\tb\xc3\xa4\"", "plain"});
}
