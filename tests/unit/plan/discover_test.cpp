#include "plan/discover.h"

#include "tests/unit/plan/planning.h"

using namespace plumb;
using namespace plumb::test;

namespace {

plan::Discovered discover(const Tree& tree,
                          const config::RepositoryBinding& binding = a_binding()) {
  TempRepo repo;
  plan::TreeSource source(repo.get(), repo.tree_of(repo.commit(tree)));
  return must(plan::discover(source, binding));
}

std::vector<std::string> ids(const plan::Discovered& discovered) {
  std::vector<std::string> all;
  for (const Application& app : discovered.applications)
    all.push_back(app.id.to_string() + " " + app.ns + " " + app.path);
  return all;
}

std::string document(const std::string& name, const std::string& spec) {
  return "apiVersion: plumbline.dev/v1\nkind: Application\nmetadata: {name: " + name +
         "}\nspec:\n" + spec;
}

}  // namespace

TEST_CASE(
    "folders of apps/ and documents declare applications, and a document wins over its folder") {
  const auto found = discover({
      {"apps/web/dev/a.yaml", {""}},
      {"apps/web/prod/kustomization.yml", {""}},
      {"apps/web/base/a.yaml", {""}},
      {"apps/web/.hidden/a.yaml", {""}},
      {"apps/web/_draft/a.yaml", {""}},
      {"apps/web/docs/README.md", {""}},
      {"apps/web/default/x.json", {""}},
      {"apps/linked", link_to("web")},
      {"apps/api/dev/a.yaml", {""}},
      {"apps/api/prod/a.yaml", {""}},
      {"apps/file", {""}},
      {"plumbline.yaml", {document("api", "  path: somewhere\n  environment: prod\n")}},
      {".plumbline/x.yaml", {document("other", "  path: apps/api/dev\n  namespace: other-ns\n")}},
      {".plumbline/ignored.txt", {"x: ["}},
  });
  CHECK(found.verdicts.empty());
  CHECK(ids(found) ==
        std::vector<std::string>{
            "api/prod@eu-1 api-prod somewhere", "linked/default@eu-1 linked apps/linked/default",
            "linked/dev@eu-1 linked-dev apps/linked/dev",
            "linked/prod@eu-1 linked-prod apps/linked/prod",
            "other/default@eu-1 other-ns apps/api/dev", "web/default@eu-1 web apps/web/default",
            "web/dev@eu-1 web-dev apps/web/dev", "web/prod@eu-1 web-prod apps/web/prod"});
}

TEST_CASE("a target without right is refused at its line, with what is allowed") {
  auto binding = a_binding();
  binding.clusters = {"eu-1", "eu-2"};
  binding.namespaces = {"shop-*"};
  const auto found = discover(
      files({{"plumbline.yaml",
              document("a", "  path: a\n  cluster: us-1\n  namespace: shop-a\n") + "---\n" +
                  document("b", "  path: b\n  cluster: eu-1\n  namespace: kube-system\n") +
                  "---\n" + document("c", "  path: c\n  cluster: eu-2\n  namespace: shop-c\n")}}),
      binding);
  CHECK(ids(found) == std::vector<std::string>{"c/default@eu-2 shop-c c"});
  REQUIRE(found.verdicts.size() == 2);
  const Verdict& cluster = found.verdicts[0];
  CHECK(cluster.rule == "rights.cluster");
  CHECK(cluster.application == "a/default@us-1");
  CHECK(cluster.message == "repository shop has no right to cluster \"us-1\"");
  CHECK(cluster.hint == "allowed: eu-1, eu-2 (the server's file says so)");
  CHECK(cluster.place.to_string() == "plumbline.yaml:6:12");
  CHECK(found.verdicts[1].rule == "rights.namespace");
  CHECK(found.verdicts[1].place.line == 15);
}

TEST_CASE("the folder convention takes its targets from the server's file") {
  auto binding = a_binding();
  binding.clusters = {"eu-1", "eu-2"};
  binding.environments = {{"dev", {"eu-2", "shop-dev"}}};
  const Tree tree = files({{"apps/web/dev/a.yaml", ""}, {"apps/web/prod/a.yaml", ""}});
  const auto found = discover(tree, binding);
  CHECK(ids(found) == std::vector<std::string>{"web/dev@eu-2 shop-dev apps/web/dev"});
  REQUIRE(found.verdicts.size() == 1);
  CHECK(found.verdicts[0].rule == "rights.cluster");
  CHECK(found.verdicts[0].place.file == "apps/web/prod");
}

TEST_CASE("a folder whose name is no label is passed over with a warning") {
  const auto found = discover(files({{"apps/My App/dev/a.yaml", ""}}));
  CHECK(found.applications.empty());
  REQUIRE(found.verdicts.size() == 1);
  CHECK(found.verdicts[0].effect == Effect::warn);
}

TEST_CASE("one name twice, a bad document and a link out are refused") {
  CHECK(discover(files({{"plumbline.yaml", document("a", "  path: a\n")},
                        {".plumbline/a.yaml", document("a", "  path: b\n")}}))
            .verdicts.at(0)
            .rule == "document.duplicate");
  const auto unknown =
      discover(files({{"plumbline.yaml", document("a", "  path: a\n  enviroment: dev\n")}}));
  CHECK(unknown.verdicts.at(0).rule == "document.unknown-key");
  CHECK(unknown.verdicts.at(0).place.line == 6);
  CHECK(unknown.verdicts.at(0).hint == "did you mean \"environment\"?");
  CHECK(discover({{"plumbline.yaml", link_to("/etc/passwd")}}).verdicts.at(0).rule ==
        "file.unreadable");
  CHECK(discover({{"apps", link_to("../..")}}).verdicts.at(0).rule == "file.unreadable");
  CHECK(discover(files({{"plumbline.yaml", "a: ["}})).verdicts.at(0).rule == "yaml.syntax");
}

TEST_CASE("a repository without any application is fine, and says what would declare one") {
  const auto found = discover(files({{"README.md", "hello"}}));
  CHECK(found.applications.empty());
  CHECK(found.verdicts.empty());
  CHECK(found.closure.size() == 3);  // plumbline.yaml, .plumbline and apps are not there
}
