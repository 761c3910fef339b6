#include <random>
#include <set>

#include "core/text.h"
#include "tests/unit/git/both.h"

using namespace plumb;
using namespace plumb::test;

namespace {

using Seen = std::set<std::string>;

/// "path before after", an absent side as zeros.
Seen ours(git::Repository& repository, const std::string& before, const std::string& after) {
  Seen seen;
  for (const git::TreeChange& change : must(repository.diff(before, after))) {
    const std::string none(before.size(), '0');
    seen.insert(change.path + " " + (change.before ? change.before->oid : none) + " " +
                (change.after ? change.after->oid : none));
  }
  return seen;
}

Seen gits(const TempRepo& repo, const std::string& before, const std::string& after) {
  const auto fields =
      split(repo.git({"diff-tree", "-r", "-z", "--no-renames", before, after}), '\0');
  Seen seen;
  for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
    const auto words = split(fields[i], ' ');  // ":100644 100644 <before> <after> M"
    seen.insert(fields[i + 1] + " " + words.at(2) + " " + words.at(3));
  }
  return seen;
}

class RandomTrees {
 public:
  RandomTrees(unsigned seed, std::size_t digits) : random_(seed), digits_(digits) {}

  TempRepo::Entries next() {
    // Names that sort differently as files and as folders, and that need quoting.
    static const std::vector<std::string> kNames{"a", "a.b", "a-b",     "a0",       "a b", "ab",
                                                 "A", "ä",   "q\"\n\\", "\xff\xfe", "zzz", ".x"};
    for (int change = pick(9); change >= 0; --change) {
      std::string path = kNames[static_cast<std::size_t>(pick(11))];
      for (int depth = pick(3); depth > 0; --depth)
        path += "/" + kNames[static_cast<std::size_t>(pick(11))];
      if (pick(2) == 0)
        erase(path);
      else
        put(path);
    }
    return entries_;
  }

 private:
  int pick(int most) { return std::uniform_int_distribution<int>(0, most)(random_); }

  void erase(const std::string& path) {
    for (auto it = entries_.begin(); it != entries_.end();)
      it = it->first == path || it->first.starts_with(path + "/") ? entries_.erase(it)
                                                                  : std::next(it);
  }
  void put(const std::string& path) {
    erase(path);
    for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1))
      entries_.erase(path.substr(0, slash));
    static const std::vector<std::string> kModes{"100644", "100755", "120000", "160000"};
    std::string oid(digits_, '0');
    for (std::size_t i = digits_ - 2; i < digits_; ++i) oid[i] = "123456789abcdef"[pick(14)];
    entries_[path] = kModes[static_cast<std::size_t>(pick(3))] + " " + oid;
  }

  std::mt19937 random_;
  std::size_t digits_;
  TempRepo::Entries entries_;
};

}  // namespace

TEST_CASE("the difference of random trees is what git itself finds", "[git]") {
  const std::string format = each_format();
  const unsigned seed = std::random_device{}();
  CAPTURE(format, seed);
  const TempRepo repo(init_of(format));
  RandomTrees trees(seed, format == "sha1" ? 40 : 64);
  std::string before = repo.tree({});
  for (int round = 0; round < 40; ++round) {
    CAPTURE(round);
    const std::string after = repo.tree(trees.next());
    // A folder whose mode alone differs is impossible, but two kinds of file may share an object.
    const auto repository = open(repo);
    Seen found = ours(*repository, before, after);
    REQUIRE(found == gits(repo, before, after));
    REQUIRE(ours(*repository, after, before) == gits(repo, after, before));
    before = after;
  }
}

TEST_CASE("from a zero id every file is new, and to one every file goes", "[git]") {
  const TempRepo repo(init_of(each_format()));
  const std::string tree =
      repo.git({"rev-parse", repo.commit({{"a", "1"}, {"b/c", "2"}, {"b/d/e", "3"}}) + "^{tree}"});
  const auto repository = open(repo);
  const auto born = must(repository->diff(zero_of(tree), tree));
  REQUIRE(born.size() == 3);
  CHECK(born[2].path == "b/d/e");
  CHECK_FALSE(born[2].before.has_value());
  const auto gone = must(repository->diff(tree, zero_of(tree)));
  REQUIRE(gone.size() == 3);
  CHECK_FALSE(gone[0].after.has_value());
  CHECK(must(repository->diff(tree, tree)).empty());
  CHECK(must(repository->diff(zero_of(tree), zero_of(tree))).empty());
}

TEST_CASE("more changes than allowed are an error, not a shorter list", "[git]") {
  const TempRepo repo(init_of(each_format()));
  const std::string tree =
      repo.git({"rev-parse", repo.commit({{"a", "1"}, {"b", "2"}, {"c", "3"}}) + "^{tree}"});
  const auto repository = open(repo);
  CHECK(must(repository->diff(zero_of(tree), tree, 3)).size() == 3);
  const Error error = must_fail(repository->diff(zero_of(tree), tree, 2));
  CHECK(error.code == Errc::invalid);
  CHECK(error.message == "more than 2 paths differ");
}

TEST_CASE("a file that only becomes executable is a change", "[git]") {
  const TempRepo repo(init_of(each_format()));
  const std::string oid = repo.blob("#!/bin/true");
  const auto changes = must(open(repo)->diff(repo.tree({{"run", "100644 " + oid}}),
                                             repo.tree({{"run", "100755 " + oid}})));
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].before->kind == git::Kind::blob);
  CHECK(changes[0].after->kind == git::Kind::executable);
}

TEST_CASE("a folder that is empty is reported as itself, and its parents are walked", "[git]") {
  const TempRepo repo(init_of(each_format()));
  const std::string empty = repo.git({"mktree"}, "");
  const std::string outer = repo.git({"mktree"}, "040000 tree " + empty + "\thollow\n");
  const std::string blob = repo.blob("x");
  const std::string before = repo.git({"mktree"}, "100644 blob " + blob + "\tfile\n");
  const std::string after =
      repo.git({"mktree"}, "100644 blob " + blob + "\tfile\n040000 tree " + outer + "\touter\n");
  const auto changes = must(open(repo)->diff(before, after));
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].path == "outer/hollow");
  CHECK(changes[0].after->kind == git::Kind::tree);
}

TEST_CASE("folders nested without end are refused, and a depth that git allows is read", "[git]") {
  const TempRepo repo(init_of(each_format()));
  std::string tree = repo.git({"mktree"}, "100644 blob " + repo.blob("x") + "\tf\n");
  const auto nest = [&](int levels) {
    for (int i = 0; i < levels; ++i) tree = repo.git({"mktree"}, "040000 tree " + tree + "\td\n");
  };
  nest(200);
  CHECK(must(open(repo)->diff(zero_of(tree), tree)).size() == 1);
  nest(350);
  const Error error = must_fail(open(repo)->diff(zero_of(tree), tree));
  CHECK(error.code == Errc::invalid);
  CHECK(error.message.find("nested too deep") != std::string::npos);
  CHECK(error.message.size() < 200);
}
