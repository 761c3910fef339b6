#include "plan/tree_source.h"

#include <algorithm>

#include "tests/unit/plan/temp_repo.h"

using namespace plumb;
using namespace plumb::test;
using plan::TreeSource;

namespace {

struct Reading {
  explicit Reading(const Tree& tree, plan::ReadLimits limits = {})
      : oid(repo.tree_of(repo.commit(tree))), source(repo.get(), oid, limits) {}
  TempRepo repo;
  std::string oid;
  TreeSource source;

  bool holds_in(const Closure& closure, const Tree& tree) {
    return must(plan::holds(closure, repo.get(), repo.tree_of(repo.commit(tree))));
  }
};

std::vector<std::string> told(const Closure& closure) {
  std::vector<std::string> lines;
  for (const ClosureEntry& entry : closure)
    lines.push_back(std::string(to_string(entry.looked)) + " " + entry.path);
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace

TEST_CASE("a path is read through links, and every link on the way is recorded") {
  Reading at(
      {{"real/a.yaml", {"a"}}, {"to", link_to("real")}, {"x/b.yaml", link_to("../to/a.yaml")}});
  CHECK(must(at.source.read("x/./b.yaml")) == "a");
  CHECK(told(at.source.take_closure()) ==
        std::vector<std::string>{"file real/a.yaml", "folder x", "link to", "link x/b.yaml"});
  CHECK(at.source.take_closure().empty());
}

TEST_CASE("nothing outside of the repository can be read") {
  Reading at({{"a/x", {"x"}},
              {"a/abs", link_to("/etc/passwd")},
              {"a/up", link_to("../../etc/passwd")},
              {"a/loop", link_to("loop")},
              {"a/broken", link_to("nowhere")}});
  for (const char* path : {"..", "../x", "a/../../x", "a/abs", "a/up", "a/loop"}) {
    INFO(path);
    CHECK(must_fail(at.source.look(path)).code == Errc::invalid);
    CHECK(must_fail(at.source.read(path)).code == Errc::invalid);
  }
  CHECK(must_fail(at.source.read(std::string("a\0b", 3))).code == Errc::invalid);
  CHECK_FALSE(must(at.source.look("a/broken")));
  CHECK(must(at.source.look("/a/x")));  // "/" is the repository's root
}

TEST_CASE("a look at what is not there is broken by what appears there") {
  Reading at(files({{"a/x", "x"}, {"f", "a file"}}));
  CHECK_FALSE(must(at.source.look("a/y")));
  CHECK_FALSE(must(at.source.look("b/c/d")));
  CHECK_FALSE(must(at.source.look("f/g")));
  const Closure closure = at.source.take_closure();
  CHECK(at.holds_in(closure, files({{"a/x", "other"}, {"f", "a file"}})));
  CHECK_FALSE(at.holds_in(closure, files({{"a/y", ""}, {"f", "a file"}})));
  CHECK_FALSE(at.holds_in(closure, files({{"a/x", "x"}, {"f", "a file"}, {"b/z", ""}})));
  CHECK_FALSE(at.holds_in(closure, files({{"a/x", "x"}, {"f/g", ""}})));
  CHECK_FALSE(at.holds_in(closure, {{"a/x", {"x"}}, {"f", link_to("a")}}));
}

TEST_CASE("a listing is broken by names and types, not by contents") {
  Reading at(
      {{"a/x", {"x"}}, {"a/sub/y", {"y"}}, {"a/l", link_to("x")}, {"a/dangling", link_to("z")}});
  std::vector<std::string> names;
  for (const TreeSource::Name& name : must(at.source.list("a"))) {
    if (!name.broken)
      names.push_back(name.name + (name.type == TreeSource::Found::Type::folder ? "/" : ""));
  }
  CHECK(names == std::vector<std::string>{"l", "sub/", "x"});
  const Closure closure = at.source.take_closure();
  const Tree same{
      {"a/x", {"x"}}, {"a/sub/z", {""}}, {"a/l", link_to("x")}, {"a/dangling", link_to("z")}};
  CHECK(at.holds_in(closure, same));
  for (const auto& [path, file] : Tree{{"a/new", {""}}, {"a/sub", {"a file"}}, {"a/z", {""}}}) {
    INFO(path);
    Tree changed = same;
    if (path == "a/sub") changed.erase("a/sub/z");
    changed[path] = file;
    CHECK_FALSE(at.holds_in(closure, changed));
  }
}

TEST_CASE("a folder that becomes a link to an equal folder breaks what was read in it") {
  Reading at(files({{"a/x", "x"}, {"b/x", "x"}}));
  CHECK(must(at.source.read("a/x")) == "x");
  const Closure closure = at.source.take_closure();
  CHECK_FALSE(at.holds_in(closure, {{"a", link_to("b")}, {"b/x", {"x"}}}));
}

TEST_CASE("one file, all files and all looks are bounded") {
  plan::ReadLimits limits;
  limits.max_file_bytes = 10;
  limits.max_total_bytes = 25;
  limits.max_looks = 5;
  Reading at(files({{"big", std::string(11, 'x')},
                    {"a", std::string(10, 'a')},
                    {"b", std::string(10, 'b')}}),
             limits);
  CHECK(must_fail(at.source.read("big")).message.find("larger than") != std::string::npos);
  static_cast<void>(must(at.source.read("a")));
  static_cast<void>(must(at.source.read("b")));
  CHECK(must_fail(at.source.read("a")).code == Errc::invalid);
  CHECK_FALSE(must(at.source.look("c")));
  CHECK_FALSE(must(at.source.look("d")));
  CHECK(must_fail(at.source.look("e")).message.find("paths were looked at") != std::string::npos);
}
