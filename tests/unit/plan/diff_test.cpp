#include "plan/diff.h"

#include "tests/support/catch.h"

using namespace plumb;
using plan::ObjectChange;

namespace {

Manifest object(const std::string& name, const std::string& spec, bool tainted = false) {
  Manifest manifest;
  manifest.key = {"v1", tainted ? "Secret" : "ConfigMap", "n", name};
  manifest.json = "{\"spec\":" + spec + "}";
  manifest.hash = manifest.json;
  manifest.tainted = tainted;
  return manifest;
}

std::vector<std::string> fields(const std::string& before, const std::string& after) {
  std::vector<std::string> all;
  for (const auto& change : plan::diff_objects({object("a", before)}, {object("a", after)})) {
    for (const auto& field : change.fields)
      all.push_back(field.path + " " + field.before + " -> " + field.after);
  }
  return all;
}

}  // namespace

TEST_CASE("objects come, change and go, and equal ones are left out") {
  const auto changes = plan::diff_objects({object("a", "1"), object("b", "1"), object("c", "1")},
                                          {object("b", "2"), object("c", "1"), object("d", "1")});
  REQUIRE(changes.size() == 3);
  CHECK(changes[0].op == ObjectChange::Op::remove);
  CHECK(changes[0].key.name == "a");
  CHECK(changes[1].op == ObjectChange::Op::change);
  CHECK(changes[2].op == ObjectChange::Op::add);
}

TEST_CASE("a change names the fields, items with names by their names") {
  using Names = std::vector<std::string>;
  CHECK(fields(R"({"replicas":2})", R"({"replicas":3})") == Names{"spec.replicas 2 -> 3"});
  CHECK(fields(R"({"a.b/c":"x"})", R"({})") == Names{"spec[\"a.b/c\"] x -> "});
  CHECK(fields(R"({"c":[{"name":"x","v":1},{"name":"y"}]})",
               R"({"c":[{"name":"y"},{"name":"x","v":2}]})") == Names{"spec.c[x].v 1 -> 2"});
  CHECK(fields(R"([1,2])", R"([1,3,4])") == Names{"spec[1] 2 -> 3", "spec[2]  -> 4"});
}

TEST_CASE("no value of a secret is in a difference, but its paths are") {
  const auto changes = plan::diff_objects({object("s", R"({"p":"hunter2"})", true)},
                                          {object("s", R"({"p":"hunter3"})", true)});
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].masked);
  REQUIRE(changes[0].fields.size() == 1);
  CHECK(changes[0].fields[0].path == "spec.p");
  CHECK(changes[0].fields[0].before == "***");
  CHECK(changes[0].fields[0].after == "***");
}
