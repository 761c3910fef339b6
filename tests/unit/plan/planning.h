#pragma once
/// One repository bound to one cluster, and what planning needs besides.
#include <filesystem>
#include <string>

#include "plan/update.h"
#include "plan/validate.h"
#include "tests/unit/plan/temp_repo.h"

namespace plumb::test {

/// The program that scripts/build makes, beside the tests. Missing: tests fail, they do not skip.
inline std::string engines_program() {
  if (const char* named = std::getenv("PLUMB_ENGINES")) return named;
  std::error_code ignored;
  const auto beside =
      std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / "plumb-engines";
  if (std::filesystem::exists(beside, ignored)) return beside;
  const char* home = std::getenv("HOME");
  return std::string(home == nullptr ? "" : home) + "/.cache/plumbline/bin/plumb-engines";
}

/// Warm children for the whole test executable.
inline plan::EnginePool& engines() {
  static plan::EnginePool pool([] {
    plan::EngineOptions options;
    options.program = engines_program();
    options.max_children = 2;
    options.deadline = std::chrono::seconds(60);
    return options;
  }());
  return pool;
}

inline const plan::ProjectKey& test_key() {
  static const plan::ProjectKey key(std::string(32, 'k'));
  return key;
}

inline bool is_namespaced(std::string_view api_version, std::string_view kind) {
  return plan::builtin_namespaced(api_version, kind).value_or(true);
}

inline config::RepositoryBinding a_binding() {
  config::RepositoryBinding binding;
  binding.name = "shop";
  binding.clusters = {"eu-1"};
  return binding;
}

struct Planning {
  TempRepo repo;
  config::RepositoryBinding binding = a_binding();
  plan::UpdateTools tools{engines(),
                          [](const std::string&) -> const plan::ProjectKey& { return test_key(); },
                          [](const std::string&) -> plan::IsNamespaced { return is_namespaced; },
                          {},
                          {}};

  plan::Update update(const plan::RepoState& base, const std::string& commit) {
    return must(plan::plan_update(base, repo.get(), commit, binding, tools));
  }
  plan::Update update(const plan::RepoState& base, const Tree& tree) {
    return update(base, repo.commit(tree));
  }
  /// The state of a tree that must be fine.
  std::shared_ptr<const plan::RepoState> state(const Tree& tree) {
    const auto update = this->update(plan::RepoState(), tree);
    for (const Verdict& verdict : update.verdicts) INFO(verdict.message);
    REQUIRE(update.next);
    return update.next;
  }
  plan::Rendered render(const Tree& tree, Application app) {
    const std::string commit = repo.commit(tree);
    plan::TreeSource source(repo.get(), repo.tree_of(commit));
    return must(plan::render(app, source, engines(), test_key(), is_namespaced));
  }
};

inline Application an_app(const std::string& path) {
  Application app;
  app.id = {"default", "web", "dev", "eu-1"};
  app.repository = "shop";
  app.path = path;
  app.ns = "web-dev";
  return app;
}

inline std::string config_map(const std::string& name, const std::string& value) {
  return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata: {v: \"" + value +
         "\"}\n";
}

inline std::string deployment(const std::string& name, int replicas) {
  return "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: " + name +
         "\nspec:\n  replicas: " + std::to_string(replicas) +
         "\n  selector: {matchLabels: {app: " + name +
         "}}\n  template:\n    metadata: {labels: {app: " + name +
         "}}\n    spec:\n      containers:\n      - {name: c, image: \"example/c:1\"}\n";
}

/// Ids and how, "~web/dev@eu-1".
inline std::vector<std::string> named(const plan::Update& update) {
  std::vector<std::string> names;
  for (const plan::Affected& affected : update.affected) {
    const char* sign = affected.how == plan::Affected::How::added     ? "+"
                       : affected.how == plan::Affected::How::removed ? "-"
                                                                      : "~";
    names.push_back(sign + affected.application.id.to_string());
  }
  return names;
}

}  // namespace plumb::test
