#include "tests/support/temp_repo.h"
#include "tests/unit/console/typed.h"

namespace plumb::test {
namespace {

using Catch::Contains;
using Json = nlohmann::json;
using Files = std::map<std::string, std::string>;

std::string config_map(const std::string& name, const std::string& value = "1") {
  return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata: {key: \"" + value +
         "\"}\n";
}

std::string application(const std::string& name, const std::string& more = "") {
  return "apiVersion: plumbline.dev/v1\nkind: Application\nmetadata: {name: " + name +
         "}\nspec:\n  path: " + name + "\n" + more;
}

/// A repository with one commit after the other on main.
struct Commits {
  TempRepo repo;
  std::vector<std::string> ids;

  Commits(std::initializer_list<Files> states) {
    for (const Files& files : states)
      ids.push_back(repo.commit(files, ids.empty() ? "" : ids.back()));
    repo.git({"update-ref", "refs/heads/main", ids.back()});
  }
  [[nodiscard]] Said type(const std::vector<std::string>& words) const {
    return test::type(words, "/nowhere/plumbd.sock", repo.path());
  }
};

TEST_CASE("affected names added, changed and removed applications and no other",
          "[console][offline]") {
  const Files before{{"apps/web/dev/a.yaml", config_map("a")},
                     {"apps/old/dev/a.yaml", config_map("b")},
                     {"apps/same/dev/a.yaml", config_map("c")}};
  const Files after{{"apps/web/dev/a.yaml", config_map("a", "2")},
                    {"apps/new/dev/a.yaml", config_map("d")},
                    {"apps/same/dev/a.yaml", "# a comment\n" + config_map("c")},
                    {"README", "hello"}};
  const Commits commits{before, after};
  const Said said = commits.type({"affected", commits.ids[0] + ".." + commits.ids[1]});
  CHECK(said.exit == 0);
  CHECK(said.out ==
        "new/dev@default\tadded\tapps/new/dev\nold/dev@default\tremoved\tapps/old/dev\nweb/"
        "dev@default\tchanged\tapps/web/dev\n");
  const Said all = commits.type({"affected", "..main", "-o", "json"});
  CHECK(Json::parse(all.out)["applications"].size() == 3);
  CHECK(commits.type({"affected", "main..main"}).out.empty());
}

TEST_CASE("a range that would be refused is exit code 2 with file and line", "[console][offline]") {
  const Commits commits{Files{{"apps/web/dev/a.yaml", config_map("a")}},
                        Files{{"apps/web/dev/a.yaml", "kind: ConfigMap\n\tx: 1\n"}}};
  const Said said = commits.type({"affected", commits.ids[0] + ".."});
  CHECK(said.exit == 2);
  CHECK_THAT(said.err, Contains("error[yaml.syntax]: apps/web/dev/a.yaml:2"));
}

TEST_CASE("ranges and commits that are none are said so", "[console][offline]") {
  const Commits commits{Files{{"a", "b"}}};
  CHECK(commits.type({"affected", "main"}).exit == 2);
  CHECK(commits.type({"affected", "a...b"}).exit == 2);
  const Said unknown = commits.type({"affected", "nope..main"});
  CHECK(unknown.exit == 3);
  CHECK_THAT(unknown.err, Contains("error[unknown]: unknown commit \"nope\""));
  CHECK(type({"affected", "a..b"}).exit == 2);  // no repository at /
}

TEST_CASE("render takes an application, its short name or its folder", "[console][offline]") {
  const Commits commits{Files{{"apps/web/dev/a.yaml", config_map("a", "1")}},
                        Files{{"apps/web/dev/a.yaml", config_map("a", "2")}}};
  for (const char* what : {"web/dev@default", "web/dev", "web", "apps/web/dev", "apps/web/dev/"}) {
    const Said said = commits.type({"render", what});
    INFO(what << said.err);
    CHECK(said.exit == 0);
    CHECK_THAT(said.out, Contains("  key: \"2\"") && Contains("namespace: web-dev"));
  }
  CHECK_THAT(commits.type({"render", "web", "--commit", "main~1"}).out, Contains("  key: \"1\""));
  const Said unknown = commits.type({"render", "wbe/dev@default"});
  CHECK(unknown.exit == 3);
  CHECK_THAT(unknown.err, Contains("did you mean  web/dev@default"));
}

TEST_CASE("render masks the values of a Secret, in every form", "[console][offline]") {
  const Commits commits{
      Files{{"apps/web/dev/s.yaml",
             "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {token: "
             "canary-9f3}\ndata: {other: Y2FuYXJ5LTlmMw==}\n"}}};
  for (const auto& words :
       {std::vector<std::string>{"render", "web"}, {"render", "web", "-o", "json"}}) {
    const Said said = commits.type(words);
    CHECK(said.exit == 0);
    CHECK_THAT(said.out, Contains("***"));
    CHECK((said.out + said.err).find("canary") == std::string::npos);
    CHECK((said.out + said.err).find("Y2FuYXJ5") == std::string::npos);
  }
}

TEST_CASE("documents may name any cluster when no server's file is given", "[console][offline]") {
  const Commits commits{Files{
      {"plumbline.yaml", application("web", "  cluster: eu-1\n") + "---\n" + application("api")},
      {"web/a.yaml", config_map("a")},
      {"api/a.yaml", config_map("b")}}};
  const Said said = commits.type({"affected", "..main"});
  INFO(said.err);
  CHECK(said.exit == 0);
  CHECK(said.out == "api/default@default\tadded\tapi\nweb/default@eu-1\tadded\tweb\n");
}

TEST_CASE("a server's file brings its rights", "[console][offline]") {
  const Commits commits{Files{{"plumbline.yaml", application("web", "  cluster: us-2\n")},
                              {"web/a.yaml", config_map("a")}}};
  const std::string file =
      commits.repo.folder().write("plumbd.yaml",
                                  "apiVersion: plumbline.dev/v1\nkind: Server\nspec:\n  data: d\n  "
                                  "clusters: [{name: eu-1}, {name: us-2}]\n  repositories:\n"
                                  "    - {name: shop, path: /srv/shop.git, clusters: [eu-1]}\n    "
                                  "- {name: other, path: /srv/other.git, clusters: [us-2]}\n");
  const Said which = commits.type({"affected", "..main", "--config", file});
  CHECK(which.exit == 2);
  CHECK_THAT(which.err, Contains("--as shop, other"));
  const Said denied = commits.type({"affected", "..main", "--config", file, "--as", "shop"});
  CHECK(denied.exit == 2);
  CHECK_THAT(denied.err, Contains("has no right to cluster \"us-2\""));
  CHECK(commits.type({"affected", "..main", "--config", file, "--as", "other"}).exit == 0);
  CHECK(commits.type({"affected", "..main", "--config", file, "--as", "shp"}).exit == 3);
}

}  // namespace
}  // namespace plumb::test
