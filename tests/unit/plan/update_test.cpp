#include "plan/update.h"

#include <set>

#include "plan/locate.h"
#include "tests/unit/plan/planning.h"

using namespace plumb;
using namespace plumb::test;
using Names = std::vector<std::string>;

namespace {

Tree a_shop() {
  return files(
      {{"apps/web/dev/cm.yaml", config_map("a", "1")},
       {"apps/api/dev/kustomization.yaml", "resources: [../../../base]\n"},
       {"apps/api/prod/kustomization.yaml", "resources: [../../../base]\nnameSuffix: -p\n"},
       {"base/kustomization.yaml", "resources: [cm.yaml]\n"},
       {"base/cm.yaml", config_map("b", "1")}});
}

}  // namespace

TEST_CASE("a change of one file renders its application once, among a thousand") {
  Planning planning;
  Tree tree;
  for (int i = 0; i < 1000; ++i)
    tree["apps/a" + std::to_string(i) + "/dev/cm.yaml"] = {config_map("a", "1")};
  const auto base = planning.state(tree);
  CHECK(base->apps.size() == 1000);
  tree["apps/a500/dev/cm.yaml"] = {config_map("a", "2")};
  const auto update = planning.update(*base, tree);
  CHECK(named(update) == Names{"~a500/dev@eu-1"});
  CHECK(update.rendered == 1);
  CHECK(update.changed_paths == 1);
  CHECK(update.changed_folder == "apps/a500/dev");
  tree["apps/a7/dev/new.yaml"] = {config_map("new", "2")};
  const auto more = planning.update(*update.next, tree);
  CHECK(named(more) == Names{"~a7/dev@eu-1"});
  CHECK(more.rendered == 1);
}

TEST_CASE("what no application looked at costs nothing") {
  Planning planning;
  Tree tree = a_shop();
  const auto base = planning.state(tree);
  tree["docs/a.md"] = {"x"};
  tree["base/README.md"] = {"x"};
  const auto update = planning.update(*base, tree);
  CHECK(update.affected.empty());
  CHECK(update.rendered == 0);
  CHECK(update.next->commit != base->commit);
}

TEST_CASE("a comment in a base renders those who share it and affects none") {
  Planning planning;
  Tree tree = a_shop();
  const auto base = planning.state(tree);
  tree["base/cm.yaml"].text += "# why\n";
  const auto update = planning.update(*base, tree);
  CHECK(update.rendered == 2);
  CHECK(update.affected.empty());
  tree["base/cm.yaml"].text += "# why not\n";
  CHECK(planning.update(*update.next, tree).rendered ==
        2);  // the new closure counts, not the old one
}

TEST_CASE("a shared base affects each application that builds on it") {
  Planning planning;
  Tree tree = a_shop();
  const auto base = planning.state(tree);
  tree["base/cm.yaml"] = {config_map("b", "2")};
  CHECK(named(planning.update(*base, tree)) == Names{"~api/dev@eu-1", "~api/prod@eu-1"});
}

TEST_CASE("applications come and go with their folders") {
  Planning planning;
  Tree tree = a_shop();
  const auto base = planning.state(tree);
  tree.erase("apps/web/dev/cm.yaml");
  tree["apps/new/dev/cm.yaml"] = {config_map("new", "1")};
  const auto update = planning.update(*base, tree);
  CHECK(named(update) == Names{"+new/dev@eu-1", "-web/dev@eu-1"});
  REQUIRE(update.affected.size() == 2);
  const plan::Affected& gone = update.affected[1];
  CHECK(gone.plan.remove_application);
  CHECK(gone.plan.objects.empty());
  CHECK(gone.old_digest == base->apps.at(gone.application.id)->plan_digest);
  CHECK(update.next->apps.size() == 3);
}

TEST_CASE("a revert asks the cache and renders nothing") {
  Planning planning;
  std::map<std::pair<AppId, std::string>, plan::CachedPlan> kept;
  const auto remember = [&](const Plan& plan, const Closure& closure) {
    kept.insert_or_assign({plan.application.id, plan.digest}, plan::CachedPlan{plan, closure});
  };
  planning.tools.keep = remember;
  planning.tools.look_up = [&](const Application& app,
                               const std::string& tree) -> std::optional<plan::CachedPlan> {
    for (const auto& [key, cached] : kept) {
      if (key.first == app.id && must(plan::holds(cached.closure, planning.repo.get(), tree)))
        return cached;
    }
    return std::nullopt;
  };
  Tree tree = a_shop();
  const auto first = planning.state(tree);
  tree["base/cm.yaml"] = {config_map("b", "2")};
  const auto second = planning.update(*first, tree);
  CHECK(second.rendered == 2);
  const auto back = planning.update(*second.next, a_shop());
  CHECK(named(back) == Names{"~api/dev@eu-1", "~api/prod@eu-1"});
  CHECK(back.rendered == 0);
  CHECK(back.from_cache == 2);
  for (const plan::Affected& affected : back.affected) {
    CHECK(affected.plan.digest == first->apps.at(affected.application.id)->plan_digest);
    CHECK(affected.plan.commit == back.next->commit);
  }
}

TEST_CASE("a new rule for an application is a change, though its objects stay") {
  Planning planning;
  const auto with = [](const std::string& more) {
    Tree tree = a_shop();
    tree["plumbline.yaml"] = {
        "apiVersion: plumbline.dev/v1\nkind: Application\nmetadata: {name: x}\nspec:\n  path: "
        "src\n" +
        more};
    tree["src/cm.yaml"] = {config_map("x", "1")};
    return tree;
  };
  const auto base = planning.state(with(""));
  CHECK(named(planning.update(*base, with("  sync: manual\n"))) == Names{"~x/default@eu-1"});
  CHECK(named(planning.update(*base, with("  prune: false\n"))) == Names{"~x/default@eu-1"});
  const auto moved = planning.update(*base, with("  # only a comment\n"));
  CHECK(moved.affected.empty());
  CHECK(moved.rendered == 0);
  CHECK(named(planning.update(*base, with("  environment: dev\n"))) ==
        Names{"-x/default@eu-1", "+x/dev@eu-1"});
}

TEST_CASE("two applications cannot own one object, but it may move from one to the other") {
  Planning planning;
  const std::string shared =
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s, namespace: shared}\n";
  Tree tree = a_shop();
  tree["apps/web/dev/s.yaml"] = {shared};
  const auto base = planning.state(tree);
  tree["apps/web2/dev/s.yaml"] = {shared};
  const auto conflict = planning.update(*base, tree);
  REQUIRE(conflict.verdicts.size() == 1);
  CHECK_FALSE(conflict.next);
  CHECK(conflict.verdicts[0].rule == "owner.conflict");
  CHECK(conflict.verdicts[0].application == "web2/dev@eu-1");
  CHECK(conflict.verdicts[0].message == "ConfigMap shared/s on eu-1 belongs to web/dev@eu-1");
  CHECK(conflict.verdicts[0].place == Place{"apps/web2/dev/s.yaml", 1, 0});
  tree.erase("apps/web/dev/s.yaml");
  const auto moved = planning.update(*base, tree);
  CHECK(moved.verdicts.empty());
  CHECK(named(moved) == Names{"~web/dev@eu-1", "+web2/dev@eu-1"});
  tree["apps/web3/dev/s.yaml"] = {shared};
  tree["apps/web4/dev/s.yaml"] = {shared};
  CHECK(planning.update(*base, tree).verdicts.size() == 2);  // the first may keep it
}

TEST_CASE("objects outside of the repository's rights are refused") {
  Planning planning;
  planning.binding.kinds = {"/ConfigMap", "/Namespace", "apps/*"};
  planning.binding.namespaces = {"web-*", "api-*"};
  Tree tree = a_shop();
  const auto base = planning.state(tree);
  tree["apps/web/dev/more.yaml"] = {
      "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n---\n"
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: kube-system}\n---\n"
      "apiVersion: v1\nkind: Namespace\nmetadata: {name: kube-system}\n---\n" +
      deployment("fine", 1)};
  auto update = planning.update(*base, tree);
  plan::locate(update.verdicts, update, planning.repo.get());
  std::vector<std::string> found;
  for (const Verdict& verdict : update.verdicts)
    found.push_back(verdict.rule + " " + verdict.object + " " + verdict.place.to_string());
  CHECK(found == Names{"rights.namespace ConfigMap kube-system/c apps/web/dev/more.yaml:7:21",
                       "rights.namespace Namespace kube-system apps/web/dev/more.yaml:11:12",
                       "rights.kind Secret web-dev/s apps/web/dev/more.yaml:2:1"});
  CHECK(update.verdicts[2].hint ==
        "allowed: /ConfigMap, /Namespace, apps/* (the server's file says so)");
  CHECK_FALSE(update.next);
}

TEST_CASE("a refused push leaves the state that was, and the next one is compared with it") {
  Planning planning;
  Tree tree = a_shop();
  const auto base = planning.state(tree);
  tree["base/cm.yaml"] = {"kind: ["};
  tree["apps/web/dev/cm.yaml"] = {config_map("a", "2")};
  const auto refused = planning.update(*base, tree);
  CHECK_FALSE(refused.next);
  std::set<std::string> names;
  for (const Verdict& verdict : refused.verdicts) names.insert(verdict.application);
  CHECK(names == std::set<std::string>{"api/dev@eu-1", "api/prod@eu-1"});
  tree["base/cm.yaml"] = {config_map("b", "1")};
  CHECK(named(planning.update(*base, tree)) == Names{"~web/dev@eu-1"});
}

TEST_CASE("a field's verdict stands at its own line, in a patch if that set it") {
  Planning planning;
  Tree tree = files(
      {{"apps/w/dev/kustomization.yaml", "resources: [d.yaml]\npatches: [{path: p.yaml}]\n"},
       {"apps/w/dev/d.yaml", "# a comment\n" + deployment("w", 1)},
       {"apps/w/dev/p.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w}\nspec:\n  paused: true\n"}});
  const auto update = planning.update(plan::RepoState(), tree);
  REQUIRE(update.affected.size() == 1);
  const Manifest& object = update.affected[0].plan.objects[0];
  const auto at = [&](const std::string& field) {
    Verdict verdict;
    verdict.application = "w/dev@eu-1";
    verdict.object = object.key.title();
    verdict.field = field;
    verdict.place = object.place;
    std::vector<Verdict> verdicts{verdict};
    plan::locate(verdicts, update, planning.repo.get());
    return verdicts[0];
  };
  CHECK(at("spec.replicas").place.to_string() == "apps/w/dev/d.yaml:7:3");
  CHECK(at("spec.template.spec.containers[0].image").place.line == 13);
  CHECK(at("spec.paused").place.to_string() == "apps/w/dev/p.yaml:5:3");
  CHECK(at("").place == object.place);
  const auto lines = plan::source_lines(at("spec.replicas"), update, planning.repo.get());
  REQUIRE(lines.size() == 2);
  CHECK(lines[1].line == 7);
  CHECK(lines[1].text == "  replicas: 1");
}

TEST_CASE("no source line is shown of a file with a Secret, even a broken one") {
  Planning planning;
  const Tree tree =
      files({{"apps/w/dev/a.yaml", "kind: Secret\nstringData:\n  p: \"hunter2\n  q: [\n"}});
  const auto update = planning.update(plan::RepoState(), tree);
  REQUIRE(update.verdicts.size() == 1);
  CHECK(update.verdicts[0].place.line > 0);
  CHECK(plan::source_lines(update.verdicts[0], update, planning.repo.get()).empty());
  CHECK(update.verdicts[0].message.find("hunter2") == std::string::npos);
}

TEST_CASE("many updates in a row keep the index right and small") {
  Planning planning;
  Tree tree = a_shop();
  std::vector<Tree> trees{tree};
  for (int i = 0; i < 60; ++i) {
    tree["apps/web/dev/cm.yaml"] = {config_map("a", std::to_string(i))};
    if (i % 3 == 0) tree["base/cm.yaml"] = {config_map("b", std::to_string(i))};
    trees.push_back(tree);
  }
  const auto commits = planning.repo.commits(trees);
  auto state = planning.update(plan::RepoState(), commits[0]).next;
  for (std::size_t i = 1; i < commits.size(); ++i) {
    const auto update = planning.update(*state, commits[i]);
    REQUIRE(update.rendered == (i % 3 == 1 ? 3 : 1));
    state = update.next;
  }
}

TEST_CASE("planning stops where it is told to and then gives no state") {
  Planning planning;
  Tree tree;
  for (const char* name : {"a", "b", "c"})
    tree["apps/" + std::string(name) + "/dev/cm.yaml"] = {config_map(name, "1")};
  std::size_t of = 0;
  planning.tools.go_on = [&](std::size_t planned, const std::vector<Application>& all) {
    of = all.size();
    return planned < 2;
  };
  const auto update = planning.update(plan::RepoState(), tree);
  CHECK(update.stopped);
  CHECK_FALSE(update.next);
  CHECK(update.rendered == 2);
  CHECK(of == 3);
}
