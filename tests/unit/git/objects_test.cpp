#include <filesystem>
#include <fstream>

#include "tests/unit/git/both.h"

using namespace plumb;
using namespace plumb::test;
namespace fs = std::filesystem;

namespace {

std::string loose_file(const TempRepo& repo, const std::string& oid) {
  return repo.path() + "/objects/" + oid.substr(0, 2) + "/" + oid.substr(2);
}

void overwrite(const std::string& file, const std::string& bytes) {
  fs::permissions(file, fs::perms::owner_write, fs::perm_options::add);
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

std::string tree_of(const TempRepo& repo, const std::string& commit) {
  return repo.git({"rev-parse", commit + "^{tree}"});
}

}  // namespace

TEST_CASE("a commit is read with its author, time and first line", "[git]") {
  const TempRepo repo(init_of(each_format()));
  const std::string oid = repo.commit({{"a", "1"}}, "", "first line\n\nmore");
  const auto info = must(open(repo)->commit(oid));
  CHECK(info.oid == oid);
  CHECK(info.tree == tree_of(repo, oid));
  CHECK(info.author_name == "Ana Author");
  CHECK(info.author_email == "ana@example.org");
  CHECK(info.summary == "first line");
  CHECK(info.committed_at == 1700000060);
}

TEST_CASE("an annotated tag of a tag gives the commit behind both", "[git]") {
  const TempRepo repo(init_of(each_format()));
  const std::string oid = repo.commit({{"a", "1"}});
  repo.git({"tag", "-a", "-m", "one", "one", oid});
  repo.git({"tag", "-a", "-m", "two", "two", "one"});
  const auto repository = open(repo);
  const auto tag = must(repository->ref("refs/tags/two"));
  REQUIRE(tag.has_value());
  CHECK(*tag != oid);
  CHECK(must(repository->commit(*tag)).oid == oid);
  CHECK(must(repository->resolve_commit("two")) == oid);
}

TEST_CASE("what is no commit is refused", "[git]") {
  const TempRepo repo(init_of(each_format()));
  const std::string blob = repo.blob("x");
  const auto repository = open(repo);
  CHECK(must_fail(repository->commit(blob)).code == Errc::invalid);
  CHECK(must_fail(repository->resolve_commit(blob)).code == Errc::invalid);
  CHECK(must_fail(repository->commit("--all")).code == Errc::invalid);
  CHECK(must_fail(repository->list(blob)).code == Errc::invalid);
  CHECK(must_fail(repository->blob(repo.tree({}), 100)).code == Errc::invalid);
}

TEST_CASE("a blob larger than the limit is refused and the next one is still read", "[git]") {
  const TempRepo repo(init_of(each_format()));
  const std::string large = repo.blob(std::string(3'000'000, 'x'));
  const std::string small = repo.blob(std::string("a\0b", 3));
  const auto repository = open(repo);
  const Error error = must_fail(repository->blob(large, 1'000'000));
  CHECK(error.code == Errc::invalid);
  CHECK(error.message == "object " + large + " has 3000000 bytes, more than 1000000");
  CHECK(must(repository->blob(small, 3)) == std::string("a\0b", 3));
  CHECK(must(repository->blob(large, 3'000'000)).size() == 3'000'000);
  CHECK(must(repository->contains(large)));
}

TEST_CASE("an object that is not there is an error, never an empty one", "[git]") {
  const TempRepo repo(init_of(each_format()));
  const std::string missing(repo.blob("x").size(), '7');
  const auto repository = open(repo);
  CHECK_FALSE(must(repository->contains(missing)));
  CHECK(must_fail(repository->list(missing)).code == Errc::invalid);
  CHECK(must_fail(repository->blob(missing, 10)).code == Errc::invalid);
  CHECK(must_fail(repository->commit(missing)).code == Errc::invalid);
  const std::string tree = repo.tree({{"a", "100644 " + repo.blob("x")}});
  CHECK(must_fail(repository->diff(tree, missing)).code == Errc::invalid);
}

TEST_CASE("a broken tree object is an error, never an empty tree", "[git]") {
  const TempRepo repo(init_of(each_format()));
  const std::string commit = repo.commit({{"a", "1"}, {"b/c", "2"}});
  const std::string tree = tree_of(repo, commit);
  SECTION("rubbish") {
    overwrite(loose_file(repo, tree), "not a zlib stream");
  }
  SECTION("nothing") {
    overwrite(loose_file(repo, tree), "");
  }
  SECTION("half of it") {
    std::ifstream in(loose_file(repo, tree), std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    overwrite(loose_file(repo, tree), bytes.substr(0, bytes.size() / 2));
  }
  const auto repository = open(repo);
  const std::string other = repo.tree({{"a", "100644 " + repo.blob("x")}});
  CHECK_FALSE(repository->list(tree).has_value());
  CHECK_FALSE(repository->find(tree, "a").has_value());
  CHECK_FALSE(repository->diff(other, tree).has_value());
  CHECK_FALSE(repository->diff(tree, other).has_value());
  CHECK(must(repository->list(other)).size() == 1);
}

TEST_CASE("an object under another's name is not taken for it", "[git]") {
  const TempRepo repo;
  const std::string wanted = repo.blob("replicas: 1");
  const std::string other = repo.blob("replicas: 2");
  fs::permissions(loose_file(repo, wanted), fs::perms::owner_write, fs::perm_options::add);
  fs::copy_file(loose_file(repo, other), loose_file(repo, wanted),
                fs::copy_options::overwrite_existing);
  CHECK(must_fail(open(repo)->blob(wanted, 100)).code == Errc::unavailable);
}

TEST_CASE("names come as the bytes they are", "[git]") {
  const TempRepo repo(init_of(each_format()));
  const std::string entry = "100644 " + repo.blob("x");
  const std::vector<std::string> names{"\x1b[31mred", "a\nb",         "b\"c\\",
                                       "\xff\xfe",    "caf\xc3\xa9",  "--option",
                                       "$(id)",       " lead trail ", "café"};
  TempRepo::Entries entries;
  for (const std::string& name : names) entries[name] = entry;
  const std::string tree = repo.tree(entries);
  const auto repository = open(repo);
  const auto listed = must(repository->list(tree));
  REQUIRE(listed.size() == entries.size());
  auto wanted = entries.begin();
  for (const git::NamedEntry& found : listed) {
    CHECK(found.name == wanted++->first);
    CHECK(must(repository->find(tree, found.name)).has_value());
  }
  CHECK_FALSE(must(repository->find(tree, "absent")).has_value());
  CHECK_FALSE(must(repository->find(tree, std::string("a\nb\0c", 5))).has_value());
}

TEST_CASE("names that git would not check out are listed, not followed", "[git]") {
  const TempRepo repo(init_of(each_format()));
  const std::string blob = repo.blob("x");
  std::string raw;
  const auto unhex = [](const std::string& hex) {
    std::string bytes;
    for (std::size_t i = 0; i < hex.size(); i += 2)
      bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    return bytes;
  };
  for (const char* name : {"..", ".git", "a/b"})
    raw += std::string("100644 ") + name + '\0' + unhex(blob);
  const std::string tree =
      repo.git({"hash-object", "-t", "tree", "-w", "--stdin", "--literally"}, raw);
  const auto listed = open(repo)->list(tree);
  if (listed) {
    REQUIRE(listed->size() == 3);
    CHECK((*listed)[0].name == "..");
  } else {
    CHECK(listed.error().code != Errc::fault);
  }
}

TEST_CASE("folders sort by their plain names, files among them", "[git]") {
  const TempRepo repo(init_of(each_format()));
  const std::string entry = "100644 " + repo.blob("x");
  const std::string tree = repo.tree({{"a/x", entry}, {"a.b", entry}, {"a0", entry}});
  const auto listed = must(open(repo)->list(tree));
  REQUIRE(listed.size() == 3);
  CHECK(listed[0].name == "a");
  CHECK(listed[1].name == "a.b");
  CHECK(listed[2].name == "a0");
}

TEST_CASE("every kind of entry keeps its kind", "[git]") {
  const TempRepo repo(init_of(each_format()));
  const std::string blob = repo.blob("x");
  const std::string tree = repo.tree({{"blob", "100644 " + blob},
                                      {"link", "120000 " + blob},
                                      {"run", "100755 " + blob},
                                      {"sub", "160000 " + blob},
                                      {"tree/x", "100644 " + blob}});
  const auto listed = must(open(repo)->list(tree));
  REQUIRE(listed.size() == 5);
  using git::Kind;
  CHECK(listed[0].entry.kind == Kind::blob);
  CHECK(listed[1].entry.kind == Kind::symlink);
  CHECK(listed[2].entry.kind == Kind::executable);
  CHECK(listed[3].entry.kind == Kind::submodule);
  CHECK(listed[4].entry.kind == Kind::tree);
}

TEST_CASE("packed objects are read, also after a repack under an open repository", "[git]") {
  const TempRepo repo(init_of(each_format()));
  const std::string first = repo.commit({{"a", "1"}});
  repo.git({"update-ref", "refs/heads/main", first});
  repo.git({"repack", "-adq"});
  const auto repository = open(repo);
  CHECK(must(repository->commit(first)).oid == first);
  const std::string second = repo.commit({{"a", "2"}}, first);
  repo.git({"update-ref", "refs/heads/main", second});
  repo.git({"repack", "-adq"});
  const auto listed = must(repository->list(must(repository->commit(second)).tree));
  REQUIRE(listed.size() == 1);
  CHECK(must(repository->blob(listed[0].entry.oid, 10)) == "2");
  CHECK(must(repository->count_commits(first, second, 100)) == 1);
}

TEST_CASE("commits between two are counted, up to a limit", "[git]") {
  const TempRepo repo(init_of(each_format()));
  std::string tip;
  std::vector<std::string> line;
  for (int i = 0; i < 5; ++i) {
    tip = repo.commit({{"a", std::to_string(i)}}, tip);
    line.push_back(tip);
  }
  const auto repository = open(repo);
  CHECK(must(repository->count_commits(line[1], line[4], 100)) == 3);
  CHECK(must(repository->count_commits(zero_of(tip), line[4], 100)) == 5);
  CHECK(must(repository->count_commits(zero_of(tip), line[4], 2)) == 2);
  CHECK(must(repository->count_commits(line[4], line[1], 100)) == 0);
  CHECK(must(repository->count_commits(std::string(tip.size(), '7'), line[4], 100)) == 5);
}
