#include "config/documents.h"

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"

using namespace plumb;
using namespace std::chrono_literals;

namespace {

config::RepositoryBinding a_binding() {
  config::RepositoryBinding binding;
  binding.name = "shop";
  binding.clusters = {"eu-1"};
  return binding;
}

std::string document(const std::string& spec, const std::string& name = "web") {
  return "apiVersion: plumbline.dev/v1\nkind: Application\nmetadata:\n  name: " + name +
         "\nspec:\n" + spec;
}

config::ParsedDocuments parse(const std::string& text,
                              const config::RepositoryBinding& binding = a_binding()) {
  return config::parse_documents(text, "plumbline.yaml", binding);
}

/// The only thing wrong with a document.
Verdict wrong(const std::string& text, const config::RepositoryBinding& binding = a_binding()) {
  const auto parsed = parse(text, binding);
  CHECK(parsed.applications.empty());
  REQUIRE(parsed.verdicts.size() == 1);
  CHECK(parsed.verdicts[0].effect == Effect::deny);
  CHECK(parsed.verdicts[0].place.file == "plumbline.yaml");
  return parsed.verdicts[0];
}

}  // namespace

TEST_CASE("a document of a name and a path is enough") {
  const auto parsed = parse(document("  path: apps/web/\n"));
  CHECK(parsed.verdicts.empty());
  REQUIRE(parsed.applications.size() == 1);
  const Application& app = parsed.applications[0];
  CHECK(app.id.to_string() == "web/default@eu-1");
  CHECK(app.repository == "shop");
  CHECK(app.path == "apps/web");
  CHECK(app.ns == "web");
  CHECK_FALSE(app.engine);
  CHECK(app.sync == SyncMode::automatic);
  CHECK(app.prune);
  CHECK(app.on_delete == OnDelete::cascade);
  CHECK(app.health_timeout == 5min);
  CHECK(app.declared_at.line == 4);
  CHECK(parsed.places[0].path.to_string() == "plumbline.yaml:6:9");
  CHECK(parsed.places[0].cluster == app.declared_at);
}

TEST_CASE("every key of a document counts") {
  auto binding = a_binding();
  binding.project = "team";
  const auto parsed = parse(
      document(
          "  path: .\n  environment: dev\n  cluster: us-1\n  namespace: shop\n  project: team\n"
          "  engine: plain\n  recurse: true\n  sync: manual\n  prune: false\n  onDelete: orphan\n"
          "  healthTimeout: 1h30m\n"),
      binding);
  REQUIRE(parsed.applications.size() == 1);
  const Application& app = parsed.applications[0];
  CHECK(app.id.to_string() == "team:web/dev@us-1");
  CHECK(app.path.empty());
  CHECK(app.ns == "shop");
  CHECK(app.engine == Engine::plain);
  CHECK(app.recurse);
  CHECK(app.sync == SyncMode::manual);
  CHECK_FALSE(app.prune);
  CHECK(app.on_delete == OnDelete::orphan);
  CHECK(app.health_timeout == 90min);
}

TEST_CASE("targets come from the server's file where the document names none") {
  auto binding = a_binding();
  binding.clusters = {"eu-1", "eu-2"};
  binding.environments = {{"dev", {"eu-2", "shop-dev"}}, {"prod", {"eu-1", ""}}};
  const auto parsed = parse(document("  path: a\n  environment: dev\n") + "---\n" +
                                document("  path: a\n  environment: prod\n"),
                            binding);
  REQUIRE(parsed.applications.size() == 2);
  CHECK(parsed.applications[0].id.cluster == "eu-2");
  CHECK(parsed.applications[0].ns == "shop-dev");
  CHECK(parsed.applications[1].id.cluster == "eu-1");
  CHECK(parsed.applications[1].ns == "web-prod");
  const Verdict none = wrong(document("  path: a\n  environment: test\n"), binding);
  CHECK(none.rule == "document.missing");
  CHECK(none.field == "spec.cluster");
}

TEST_CASE("an unknown key is refused at its line, with the nearest right one") {
  const Verdict verdict = wrong(document("  path: a\n  enviroment: dev\n"));
  CHECK(verdict.rule == "document.unknown-key");
  CHECK(verdict.message == "unknown key \"enviroment\" in spec");
  CHECK(verdict.hint == "did you mean \"environment\"?");
  CHECK(verdict.place.to_string() == "plumbline.yaml:7:3");
  CHECK(verdict.subject == "enviroment");
  CHECK(verdict.object == "Application web");
  CHECK(wrong("metadat: {name: a}\n" + document("  path: a\n")).place.line == 1);
}

TEST_CASE("a wrong value is refused with what it may be") {
  CHECK(wrong(document("  path: ../out\n")).rule == "document.value");
  CHECK(wrong(document("  path: /etc\n")).rule == "document.value");
  CHECK(wrong(document("  path: [a]\n")).message == "spec.path must be text, not a list");
  CHECK(wrong(document("  path: a\n  sync: manuel\n")).hint == "did you mean \"manual\"?");
  CHECK(wrong(document("  path: a\n  prune: yes please\n")).message ==
        "spec.prune must be true or false, not text");
  CHECK(wrong(document("  path: a\n  engine: helm\n")).message ==
        "\"helm\" is no value of spec.engine, it is plain or kustomize");
  CHECK(wrong(document("  path: a\n  engine: kustomize\n  recurse: true\n")).field ==
        "spec.recurse");
  for (const char* time : {"5", "0s", "25h", "five", "-1m", "999999999999h", "''"}) {
    INFO(time);
    CHECK(wrong(document(std::string("  path: a\n  healthTimeout: ") + time + "\n")).field ==
          "spec.healthTimeout");
  }
  CHECK(wrong(document("  path: a\n", "Web")).message == "\"Web\" is no name of an application");
  CHECK(wrong(document("  path: a\n",
                       "'12345678901234567890123456789012345678901234567890123456789012345'"))
            .field == "metadata.name");
  CHECK(wrong(document("  path: a\n  project: other\n")).message ==
        "this repository belongs to project \"default\", not \"other\"");
  CHECK(wrong(document("  environment: dev\n")).field == "spec.path");
  CHECK(
      wrong("apiVersion: v1\n" + document("  path: a\n").substr(document("").find("kind"))).rule ==
      "document.value");
  CHECK(wrong("a: [").rule == "yaml.syntax");
  CHECK(wrong("a: 1\na: 2\n").rule == "yaml.duplicate");
  CHECK(wrong("- a\n").message == "the document must be a mapping, not a list");
}

TEST_CASE("one bad document does not hide the others of its file") {
  const auto parsed = parse(document("  path: a\n", "a") + "---\n" + document("  pth: b\n", "b") +
                            "---\n---\n" + document("  path: c\n", "c"));
  REQUIRE(parsed.applications.size() == 2);
  CHECK(parsed.applications[1].id.name == "c");
  CHECK(parsed.applications[1].declared_at.line == 19);
  CHECK(parsed.places.size() == 2);
  CHECK(parsed.verdicts.size() == 2);  // "pth", and no path
}

TEST_CASE("control characters of a document forge nothing in messages") {
  const Verdict verdict = wrong(document("  path: a\n  \"x\\e[31m\\nremote: fine\": 1\n"));
  CHECK(verdict.message.find('\x1b') == std::string::npos);
  CHECK(verdict.message.find('\n') == std::string::npos);
}

TEST_CASE("the published schema has the keys that are read, and no other") {
  const auto schema = nlohmann::json::parse(config::application_schema());
  const auto& spec = schema["properties"]["spec"]["properties"];
  CHECK(spec.size() == 11);
  for (const auto& [key, value] : spec.items()) {
    INFO(key);
    const auto parsed =
        parse(document("  path: a\n" + (key == "path" ? "" : "  " + key + ": {}\n")));
    for (const Verdict& verdict : parsed.verdicts) CHECK(verdict.rule != "document.unknown-key");
  }
}
