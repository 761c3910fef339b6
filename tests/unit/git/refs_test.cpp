#include <fstream>

#include "tests/unit/git/both.h"

using namespace plumb;
using namespace plumb::test;

TEST_CASE("loose and packed refs are both there, sorted, and the loose one wins", "[git]") {
  const TempRepo repo(init_of(each_format()));
  const std::string one = repo.commit({{"a", "1"}});
  const std::string two = repo.commit({{"a", "2"}}, one);
  repo.git({"update-ref", "refs/heads/main", one});
  repo.git({"update-ref", "refs/heads/old", one});
  repo.git({"update-ref", "refs/tags/v1", one});
  repo.git({"pack-refs", "--all"});
  repo.git({"update-ref", "refs/heads/main", two});
  const auto repository = open(repo);
  const auto refs = must(repository->refs());
  REQUIRE(refs.size() == 3);
  CHECK(refs[0].name == "refs/heads/main");
  CHECK(refs[0].oid == two);
  CHECK(refs[1].name == "refs/heads/old");
  CHECK(refs[2].name == "refs/tags/v1");
  CHECK(must(repository->ref("refs/heads/main")) == two);
  CHECK(must(repository->ref("refs/heads/old")) == one);
}

TEST_CASE("a ref that moves or goes is seen by an open repository", "[git]") {
  const TempRepo repo(init_of(each_format()));
  const std::string one = repo.commit({{"a", "1"}});
  const std::string two = repo.commit({{"a", "2"}}, one);
  repo.git({"update-ref", "refs/heads/main", one});
  const auto repository = open(repo);
  CHECK(must(repository->ref("refs/heads/main")) == one);
  repo.git({"update-ref", "refs/heads/main", two});
  repo.git({"pack-refs", "--all"});
  CHECK(must(repository->ref("refs/heads/main")) == two);
  repo.git({"update-ref", "-d", "refs/heads/main"});
  CHECK_FALSE(must(repository->ref("refs/heads/main")).has_value());
  CHECK(must(repository->refs()).empty());
}

TEST_CASE("a symbolic ref gives the commit it leads to, and one that leads nowhere is none",
          "[git]") {
  const TempRepo repo(init_of(each_format()));
  const std::string one = repo.commit({{"a", "1"}});
  repo.git({"update-ref", "refs/heads/main", one});
  repo.git({"symbolic-ref", "refs/heads/alias", "refs/heads/main"});
  repo.git({"symbolic-ref", "refs/heads/lost", "refs/heads/absent"});
  const auto repository = open(repo);
  CHECK(must(repository->ref("refs/heads/alias")) == one);
  CHECK(must(repository->ref("HEAD")) == one);
  CHECK_FALSE(must(repository->ref("refs/heads/lost")).has_value());
  const auto refs = must(repository->refs());
  REQUIRE(refs.size() == 2);
  CHECK(refs[0].name == "refs/heads/alias");
  CHECK(refs[0].oid == one);
}

TEST_CASE("HEAD of a repository without commits is no ref and no error", "[git]") {
  const TempRepo repo(init_of(each_format()));
  CHECK_FALSE(must(open(repo)->ref("HEAD")).has_value());
  CHECK(must(open(repo)->refs()).empty());
}

TEST_CASE("a commit is found by branch, tag, HEAD and short id", "[git]") {
  const TempRepo repo(init_of(each_format()));
  const std::string one = repo.commit({{"a", "1"}});
  repo.git({"update-ref", "refs/heads/main", one});
  repo.git({"update-ref", "refs/tags/v1", one});
  const auto repository = open(repo);
  for (const std::string& name : {std::string("main"), std::string("refs/heads/main"),
                                  std::string("v1"), std::string("HEAD"), one, one.substr(0, 8)}) {
    CAPTURE(name);
    CHECK(must(repository->resolve_commit(name)) == one);
  }
}

TEST_CASE("names that are searches, options or forged are refused", "[git]") {
  const TempRepo repo(init_of(each_format()));
  repo.git({"update-ref", "refs/heads/main", repo.commit({{"a", "1"}})});
  const auto repository = open(repo);
  for (const std::string& name :
       {std::string(), std::string(":/change"), std::string("main@{1}"), std::string("main^{/x}"),
        std::string("--all"), std::string("main\nother"), std::string("main\0x", 6),
        std::string("absent"), std::string("main:a")}) {
    CAPTURE(name);
    CHECK(must_fail(repository->resolve_commit(name)).code == Errc::invalid);
  }
  for (const std::string& name :
       {std::string("refs/heads/../main"), std::string("--all"), std::string("main"),
        std::string("refs/heads/main\0x", 17), std::string("refs/heads/a b")}) {
    CAPTURE(name);
    CHECK(must_fail(repository->ref(name)).code == Errc::invalid);
  }
}

TEST_CASE("what is no repository, or one that nobody here can read, says so", "[git]") {
  const TempFolder folder;
  const Error none = must_fail(git::Repository::open(folder.path()));
  CHECK(none.code == Errc::invalid);
  CHECK(none.message.find("is no Git repository") != std::string::npos);

  // Git 2.39 knows no reftable, so that it refuses is all that can be shown with it.
  const TempRepo repo;
  repo.git({"config", "core.repositoryFormatVersion", "1"});
  repo.git({"config", "extensions.refStorage", "reftable"});
  const auto opened = git::Repository::open(repo.path());
  if (!opened) {
    CHECK(opened.error().code == Errc::invalid);
    CAPTURE(opened.error().message);
    CHECK(opened.error().message.find("refstorage") != std::string::npos);
    CHECK(opened.error().hint == "a newer git may be able to read this repository");
  }
}

TEST_CASE("a work tree's root opens its repository", "[git]") {
  const TempFolder folder;
  const TempRepo maker;
  maker.git({"init", "--quiet", folder.path()});
  CHECK(must(must(git::Repository::open(folder.path()))->refs()).empty());
}
