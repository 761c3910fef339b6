#include <filesystem>

#include "source_dir.h"
#include <nlohmann/json.hpp>

#include "drivers/json/json.h"
#include "drivers/yaml/yaml.h"
#include "tests/unit/plan/planning.h"

using namespace plumb;
using namespace plumb::test;
namespace fs = std::filesystem;

namespace {

const std::string kCases = std::string(PLUMB_SOURCE_DIR) + "/engines/testdata/build";

std::string kubectl() {
  const char* named = std::getenv("PLUMB_CONTROL_PLANE_BIN");
  const char* home = std::getenv("HOME");
  return named ? std::string(named) + "/kubectl"
               : std::string(home ? home : "") + "/.cache/plumbline/bin/kubectl";
}

Tree tree_of_disk() {
  Tree tree;
  for (const auto& entry : fs::recursive_directory_iterator(kCases)) {
    const std::string path =
        fs::relative(entry.path().parent_path(), kCases) / entry.path().filename();
    const std::string name = path.starts_with("./") ? path.substr(2) : path;
    if (entry.is_symlink()) {
      tree[name] = link_to(fs::read_symlink(entry.path()));
    } else if (entry.is_regular_file()) {
      std::ifstream file(entry.path(), std::ios::binary);
      tree[name] = {{std::istreambuf_iterator<char>(file), {}}};
    }
  }
  return tree;
}

/// The managed-by label names the version of kustomize, which is not the same in both.
std::string without_version(std::string json) {
  const std::string label = "\"app.kubernetes.io/managed-by\":\"kustomize-";
  const auto at = json.find(label);
  if (at != std::string::npos) {
    const auto version = at + label.size();
    json.erase(version, json.find('"', version) - version);
  }
  return json;
}

/// What `kubectl kustomize` prints, with the application's namespace where plumbline fills it in.
std::map<std::string, std::string> upstream(const std::string& folder) {
  process::RunOptions options;
  options.environment = {"HOME=/nonexistent"};
  const auto output = must(process::run({kubectl(), "kustomize", kCases + "/" + folder}, options));
  if (!output.exit.ok()) FAIL("kubectl kustomize " << folder << ": " << output.err);
  std::map<std::string, std::string> objects;
  for (const auto& document : must(yaml::parse_all(output.out, folder))) {
    nlohmann::json object = *document.value;
    auto& metadata = object["metadata"];
    if (!is_namespaced(object["apiVersion"].get<std::string>(),
                       object["kind"].get<std::string>())) {
      metadata.erase("namespace");
    } else if (!metadata.contains("namespace")) {
      metadata["namespace"] = "web-dev";
    }
    const std::string name = object["kind"].get<std::string>() + " " +
                             metadata.value("namespace", "") + "/" +
                             metadata["name"].get<std::string>();
    objects[name] = without_version(json::canonical(object));
  }
  return objects;
}

}  // namespace

TEST_CASE("every case renders to what upstream kubectl kustomize makes of it") {
  Planning planning;
  const Tree tree = tree_of_disk();
  const std::string oid = planning.repo.tree_of(planning.repo.commit(tree));
  int cases = 0;
  for (const auto& entry : fs::directory_iterator(kCases)) {
    std::string folder = entry.path().filename();
    if (fs::exists(entry.path() / "overlay")) folder += "/overlay";
    INFO(folder);
    plan::TreeSource source(planning.repo.get(), oid);
    const auto rendered =
        must(plan::render(an_app(folder), source, engines(), test_key(), is_namespaced));
    for (const Verdict& verdict : rendered.verdicts) UNSCOPED_INFO(verdict.message);
    CHECK(rendered.verdicts.empty());
    std::map<std::string, std::string> ours;
    for (const Manifest& object : rendered.objects) {
      ours[object.key.kind + " " + object.key.ns + "/" + object.key.name] =
          without_version(object.json);
      CHECK(tree.contains(object.place.file));
      // The name in numbers/cm.yaml is a boolean to the API server, so the file gives no line.
      CHECK((object.place.line > 0 || folder == "numbers"));
    }
    CHECK_FALSE(ours.empty());
    const auto theirs = upstream(folder);
    std::string difference;
    for (const auto& [name, text] : theirs) {
      const auto own = ours.find(name);
      if (own == ours.end() || own->second != text)
        difference +=
            "\nours:   " + (own == ours.end() ? "none" : own->second) + "\ntheirs: " + text;
    }
    CHECK(difference == "");
    CHECK(ours.size() == theirs.size());
    ++cases;
  }
  CHECK(cases >= 30);
}
