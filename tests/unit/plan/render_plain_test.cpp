#include <algorithm>

#include "tests/unit/plan/planning.h"

using namespace plumb;
using namespace plumb::test;

namespace {

std::vector<std::string> titles(const plan::Rendered& rendered) {
  std::vector<std::string> all;
  for (const Manifest& object : rendered.objects) all.push_back(object.key.title());
  return all;
}

/// The only verdict of a folder with this one file.
Verdict verdict_of(const std::string& name, const std::string& text) {
  Planning planning;
  const auto rendered = planning.render(files({{"apps/web/" + name, text}}), an_app("apps/web"));
  REQUIRE(rendered.verdicts.size() == 1);
  CHECK(rendered.verdicts[0].effect == Effect::deny);
  CHECK(rendered.verdicts[0].application == "web/dev@eu-1");
  return rendered.verdicts[0];
}

}  // namespace

TEST_CASE("a folder of YAML and JSON files renders to all of their objects, each at its line") {
  Planning planning;
  const Tree tree = files({
      {"apps/web/a.yaml",
       "# first\n---\n" + config_map("a", "1") + "---\n---\n" + config_map("b", "2")},
      {"apps/web/c.json", R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"c"}})"},
      {"apps/web/list.yml", "apiVersion: v1\nkind: List\nitems:\n- " +
                                std::string("apiVersion: v1\n  kind: ConfigMap\n  "
                                            "metadata: {name: d}\n- apiVersion: "
                                            "rbac.authorization.k8s.io/v1\n  kind: ClusterRole\n  "
                                            "metadata: {name: e, namespace: wrong}\n")},
      {"apps/web/README.md", "no manifest"},
      {"apps/web/sub/f.yaml", config_map("f", "1")},
  });
  auto rendered = planning.render(tree, an_app("apps/web"));
  CHECK(rendered.verdicts.empty());
  CHECK(titles(rendered) == std::vector<std::string>{"ConfigMap web-dev/a", "ConfigMap web-dev/b",
                                                     "ConfigMap web-dev/d", "Service web-dev/c",
                                                     "ClusterRole e"});
  CHECK(rendered.objects[0].place == Place{"apps/web/a.yaml", 3, 0});
  CHECK(rendered.objects[1].place == Place{"apps/web/a.yaml", 9, 0});
  CHECK(rendered.objects[2].place == Place{"apps/web/list.yml", 4, 3});
  CHECK(
      rendered.objects[0].json ==
      R"({"apiVersion":"v1","data":{"v":"1"},"kind":"ConfigMap","metadata":{"name":"a","namespace":"web-dev"}})");
  CHECK(rendered.objects[4].json.find("namespace") == std::string::npos);

  Application deep = an_app("apps/web");
  deep.recurse = true;
  CHECK(titles(planning.render(tree, deep)).size() == 6);
}

TEST_CASE("an object keeps the namespace it names") {
  Planning planning;
  const auto rendered = planning.render(
      files({{"a/x.yaml",
              "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: other}\n"}}),
      an_app("a"));
  CHECK(titles(rendered) == std::vector<std::string>{"ConfigMap other/a"});
}

TEST_CASE("the definition that comes with a custom resource says whether it has a namespace") {
  Planning planning;
  const std::string crd =
      "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: "
      "things.example.org}\nspec: {group: example.org, scope: Cluster, names: {kind: Thing, "
      "plural: "
      "things}}\n---\napiVersion: example.org/v1\nkind: Thing\nmetadata: {name: one}\n";
  CHECK(titles(planning.render(files({{"a/x.yaml", crd}}), an_app("a"))).back() == "Thing one");
}

TEST_CASE("what is no manifest is refused with its file and line") {
  const auto syntax = verdict_of("a.yaml", "apiVersion: v1\nkind: [\n");
  CHECK(syntax.rule == "yaml.syntax");
  CHECK(syntax.place.file == "apps/web/a.yaml");
  CHECK(syntax.place.line >= 2);
  const auto twice = verdict_of("a.yaml", "apiVersion: v1\nkind: ConfigMap\nkind: ConfigMap\n");
  CHECK(twice.rule == "yaml.duplicate");
  CHECK(twice.place.line == 3);
  CHECK(verdict_of("a.yaml", std::string("\x7f"
                                         "ELF\0\1",
                                         6))
            .rule == "file.encoding");
  CHECK(verdict_of("a.yaml", "a: \xff\xfe\n").rule == "file.encoding");
  const auto no_object = verdict_of("a.yaml", "# values\nreplicas: 3\n");
  CHECK(no_object.rule == "object.kind");
  CHECK(no_object.place == Place{"apps/web/a.yaml", 2, 0});
  CHECK(verdict_of("a.json", "[1, 2]").rule == "object.kind");
  CHECK(verdict_of("a.yaml", "just text").rule == "object.kind");
  CHECK(verdict_of("a.yaml", "apiVersion: v1\nmetadata: {name: a}\n").message ==
        "the object has no kind");
  CHECK(verdict_of("a.yaml", "kind: Pod\nmetadata: {name: a}\n").message ==
        "Pod has no apiVersion");
  CHECK(verdict_of("a.yaml", "apiVersion: v1\nkind: Pod\n").rule == "object.name");
  CHECK(verdict_of("a.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n")
            .hint.find("generateName") != std::string::npos);
  CHECK(verdict_of("a.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: 12}\n").rule ==
        "object.name");
  CHECK(verdict_of("a.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: ../x}\n").rule ==
        "object.name");
  CHECK(verdict_of("a.yaml", "apiVersion: v1/x/y\nkind: Pod\nmetadata: {name: a}\n").rule ==
        "object.version");
  CHECK(verdict_of("a.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: A_B}\n")
            .rule == "object.namespace");
  CHECK(verdict_of("kustomization.yaml.json", "resources: []").rule == "object.kind");
}

TEST_CASE("every bad file of a push is named at once") {
  Planning planning;
  const auto rendered = planning.render({{"a/1.yaml", {"a: ["}},
                                         {"a/2.yaml", {"x: 1"}},
                                         {"a/3.yaml", link_to("/etc/passwd")},
                                         {"a/4.yaml", link_to("../4.yaml")},
                                         {"a/5.yaml", {config_map("five", "1")}}},
                                        an_app("a"));
  std::vector<std::string> found;
  for (const Verdict& verdict : rendered.verdicts)
    found.push_back(verdict.rule + " " + verdict.place.file);
  CHECK(found == std::vector<std::string>{"yaml.syntax a/1.yaml", "file.unreadable a/3.yaml",
                                          "file.unreadable a/4.yaml", "object.kind a/2.yaml"});
  CHECK(rendered.verdicts[1].message == "'a/3.yaml' is a symbolic link out of the repository");
  CHECK(rendered.verdicts[2].message == "'a/4.yaml' is a symbolic link to nothing");
  CHECK(titles(rendered).size() == 1);
}

TEST_CASE("one object twice in an application names both places") {
  const auto verdict = verdict_of("a.yaml", config_map("a", "1") + "---\n" + config_map("a", "2"));
  CHECK(verdict.rule == "object.duplicate");
  CHECK(verdict.message == "ConfigMap web-dev/a is there twice, first in apps/web/a.yaml:1");
  CHECK(verdict.place.line == 6);
}

TEST_CASE("an application that renders to nothing is refused, never emptied") {
  Planning planning;
  const Tree tree =
      files({{"a/README.md", "x"}, {"a/empty.yaml", "# nothing\n---\n"}, {"f", "file"}});
  CHECK(planning.render(tree, an_app("a")).verdicts.at(0).rule == "render.empty");
  CHECK(planning.render(tree, an_app("nowhere")).verdicts.at(0).message ==
        "the folder 'nowhere' does not exist");
  CHECK(planning.render(tree, an_app("f")).verdicts.at(0).rule == "render.path");
}

TEST_CASE("a Secret is tainted and its hash says nothing about its value") {
  Planning planning;
  const std::string secret =
      "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {p: hunter2}\n";
  const Tree tree = files({{"a/s.yaml", secret}, {"a/c.yaml", config_map("c", "1")}});
  const auto rendered = planning.render(tree, an_app("a"));
  REQUIRE(rendered.objects.size() == 2);
  CHECK_FALSE(rendered.objects[0].tainted);
  CHECK(rendered.objects[1].tainted);
  const plan::ProjectKey other(std::string(32, 'o'));
  const std::string& json = rendered.objects[1].json;
  CHECK(rendered.objects[1].hash == plan::content_hash(json, true, test_key()));
  CHECK(rendered.objects[1].hash != plan::content_hash(json, true, other));
  CHECK(rendered.objects[1].hash != plan::content_hash(json, false, test_key()));
}

TEST_CASE("a plan's digest depends on application, objects and namespace and on nothing else") {
  Planning planning;
  Application app = an_app("a");
  const auto one = planning.render(files({{"a/x.yaml", config_map("x", "1")}}), app).objects;
  const auto same =
      planning.render(files({{"a/y.yaml", "# moved\n" + config_map("x", "1")}}), app).objects;
  const auto other = planning.render(files({{"a/x.yaml", config_map("x", "2")}}), app).objects;
  const std::string digest = plan::plan_digest(app, one);
  CHECK(digest.size() == 64);
  CHECK(plan::plan_digest(app, same) == digest);
  CHECK(plan::plan_digest(app, other) != digest);
  app.sync = SyncMode::manual;
  CHECK(plan::plan_digest(app, one) == digest);
  app.ns = "elsewhere";
  CHECK(plan::plan_digest(app, one) != digest);
}
