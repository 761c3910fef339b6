#include <algorithm>

#include "tests/unit/plan/planning.h"

using namespace plumb;
using namespace plumb::test;

namespace {

/// The only verdict of an application "app" whose kustomization is this.
Verdict refusal(const std::string& kustomization, Tree tree = {}) {
  Planning planning;
  tree["app/kustomization.yaml"] = {kustomization};
  tree["app/cm.yaml"] = {config_map("a", "1")};
  tree["other/cm.yaml"] = {config_map("b", "1")};
  const auto rendered = planning.render(tree, an_app("app"));
  REQUIRE(rendered.verdicts.size() == 1);
  CHECK(rendered.verdicts[0].application == "web/dev@eu-1");
  CHECK(rendered.objects.empty());
  return rendered.verdicts[0];
}

}  // namespace

TEST_CASE("an overlay's objects stand in the files that they came from") {
  Planning planning;
  const Tree tree = files({
      {"base/kustomization.yaml", "resources: [all.yaml]\n"},
      {"base/all.yaml", config_map("a", "1") + "---\n" + deployment("b", 1)},
      {"dev/kustomization.yaml",
       "resources: [../base]\nnamePrefix: dev-\nconfigMapGenerator:\n- name: other\n  literals: "
       "[x=1]\n"
       "- name: made\n  literals: [a=b]\n"},
  });
  const auto rendered = planning.render(tree, an_app("dev"));
  CHECK(rendered.verdicts.empty());
  std::map<std::string, std::string> places;
  for (const Manifest& object : rendered.objects)
    places[object.key.kind + " " + object.key.name.substr(0, 8)] = object.place.to_string();
  CHECK(places ==
        std::map<std::string, std::string>{{"ConfigMap dev-a", "base/all.yaml:1"},
                                           {"Deployment dev-b", "base/all.yaml:6"},
                                           {"ConfigMap dev-othe", "dev/kustomization.yaml:4"},
                                           {"ConfigMap dev-made", "dev/kustomization.yaml:6"}});
  for (const Manifest& object : rendered.objects) {
    CHECK(object.key.ns == "web-dev");
    CHECK(object.json.find("config.kubernetes.io/origin") == std::string::npos);
  }
}

TEST_CASE("a kustomization is found under each of its names, and looked for under all") {
  Planning planning;
  for (const char* name : {"kustomization.yaml", "kustomization.yml", "Kustomization"}) {
    const auto rendered =
        planning.render(files({{std::string("a/") + name, "resources: [x.yaml]\n"},
                               {"a/x.yaml", config_map("x", "1")},
                               {"a/y.yaml", config_map("y", "1")}}),
                        an_app("a"));
    CHECK(rendered.objects.size() == 1);
  }
  const auto plain = planning.render(files({{"a/x.yaml", config_map("x", "1")}}), an_app("a"));
  for (const char* name : {"a/kustomization.yaml", "a/kustomization.yml", "a/Kustomization"}) {
    CHECK(std::any_of(plain.closure.begin(), plain.closure.end(), [&](const ClosureEntry& entry) {
      return entry.looked == Looked::absent && entry.path == name;
    }));
  }
  Application app = an_app("a");
  app.engine = Engine::plain;
  const auto refused = planning.render(files({{"a/kustomization.yaml", "resources: [x.yaml]\n"},
                                              {"a/x.yaml", config_map("x", "1")}}),
                                       app);
  CHECK(refused.verdicts.at(0).rule == "object.kind");
  CHECK(refused.verdicts.at(0).place.file == "a/kustomization.yaml");
}

TEST_CASE("a base outside of the repository is refused at the line that names it") {
  const auto verdict = refusal("# here\nresources:\n- cm.yaml\n- ../../outside\n");
  CHECK(verdict.rule == "render.failed");
  CHECK(verdict.message == "'../../outside' is outside of the repository");
  CHECK(verdict.place == Place{"app/kustomization.yaml", 4, 0});
  CHECK(refusal("resources: [/etc/hostname]").message ==
        "'/etc/hostname' is outside of the repository");
  CHECK(refusal("configMapGenerator: [{name: a, files: [../../etc/passwd]}]").message ==
        "'../../etc/passwd' is outside of the repository");
}

TEST_CASE("a symbolic link out of the repository is refused, one inside is followed") {
  const auto verdict =
      refusal("resources: [out.yaml]", {{"app/out.yaml", link_to("/etc/hostname")}});
  CHECK(verdict.message == "'app/out.yaml' is a symbolic link out of the repository");
  CHECK(verdict.place.file == "app/kustomization.yaml");
  Planning planning;
  const auto rendered = planning.render({{"app/kustomization.yaml", {"resources: [base]\n"}},
                                         {"app/base", link_to("../shared")},
                                         {"shared/kustomization.yaml", {"resources: [cm.yaml]\n"}},
                                         {"shared/cm.yaml", {config_map("a", "1")}}},
                                        an_app("app"));
  REQUIRE(rendered.objects.size() == 1);
  CHECK(rendered.objects[0].place == Place{"shared/cm.yaml", 1, 0});
}

TEST_CASE("what an engine refuses is said in our own words, at its line") {
  const auto missing = refusal("resources:\n- cm.yaml\n- nowhere.yaml\n");
  CHECK(missing.message == "'app/nowhere.yaml' does not exist");
  CHECK(missing.place == Place{"app/kustomization.yaml", 3, 0});
  const auto remote = refusal("resources: ['https://github.com/example/repo//base?ref=v1']");
  CHECK(remote.message ==
        "remote base 'https://github.com/example/repo//base?ref=v1' is not fetched: a render has "
        "no network");
  CHECK(remote.place.line == 1);
  CHECK(refusal("components: ['git@github.com:example/repo.git']").message.find("is not fetched") !=
        std::string::npos);
  CHECK(refusal("resources: [../loop]", files({{"loop/kustomization.yaml", "resources: [../app]"}}))
            .message.find("in a loop") != std::string::npos);
  CHECK(refusal("resources: [../other]").message == "'other' has no kustomization file");
  CHECK(refusal("resources: [../other/cm.yaml]").message ==
        "'other/cm.yaml' is not in or below 'app'");
  const auto key = refusal("resources: [cm.yaml]\nnamePrefx: a-\n");
  CHECK(key.message == "unknown key \"namePrefx\" in a kustomization");
  CHECK(key.hint == "did you mean \"namePrefix\"?");
  CHECK(key.place.line == 2);
  const auto broken =
      refusal("resources: [bad.yaml]", files({{"app/bad.yaml", "kind: ConfigMap\na: [1\n"}}));
  CHECK(broken.rule == "yaml.syntax");
  CHECK(broken.place.file == "app/bad.yaml");
  CHECK(refusal("resources: [cm.yaml, more.yaml]", files({{"app/more.yaml", config_map("a", "2")}}))
            .message == "ConfigMap a is there twice");
  CHECK(refusal("resources: [nokind.yaml]", files({{"app/nokind.yaml", "metadata: {name: a}"}}))
            .rule == "object.kind");
  CHECK(refusal("helmCharts: [{name: a, repo: https://example.com}]").message ==
        "helmCharts in a kustomization are not rendered");
}

TEST_CASE("a message of an engine shows no value of a secret") {
  const std::string patch =
      "resources: [s.yaml]\npatches: [{patch: '[{op: replace, path: /x/y, value: hunter2-patch}]', "
      "target: {kind: "
      "Secret}}]\n";
  const std::string secret =
      "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {p: hunter2-patch}\n";
  std::vector<Verdict> all{
      refusal(patch, files({{"app/s.yaml", secret}})),
      refusal("secretGenerator: [{name: a, literals: [hunter2-patch]}]"),
      refusal("secretGenerator: [{name: a, literals: [x=hunter2-patch], files: [hunter2-patch]}]"),
      refusal("resources: [cm.yaml]\npatches: [{patch: '{a: [hunter2-patch', target: {kind: "
              "ConfigMap}}]")};
  for (const Verdict& verdict : all) {
    INFO(verdict.message);
    CHECK(verdict.message.find("hunter2") == std::string::npos);
    CHECK(verdict.subject.find("hunter2") == std::string::npos);
    CHECK(verdict.hint.find("hunter2") == std::string::npos);
    CHECK_FALSE(verdict.place.file.empty());
  }
}
