#pragma once
/// plumbd's planning over a data folder and repositories of its own, with a real engine or a fake
/// one.
#include <cstdlib>

#include "plan/plan_store.h"
#include "tests/support/must.h"
#include "tests/support/temp_repo.h"
#include "worker/planner.h"

namespace plumb::worker {

using namespace std::chrono_literals;
using test::must;
using test::TempFolder;
using test::TempRepo;
using Files = std::map<std::string, std::string>;

inline constexpr const char* kMain = "refs/heads/main";

inline std::string engines_program() {
  if (const char* named = std::getenv("PLUMB_ENGINES")) return named;
  std::error_code ignored;
  const auto beside =
      std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / "plumb-engines";
  if (std::filesystem::exists(beside, ignored)) return beside;
  const char* home = std::getenv("HOME");
  return std::string(home == nullptr ? "" : home) + "/.cache/plumbline/bin/plumb-engines";
}

inline std::string config_map(const std::string& name, const std::string& ns = "") {
  return "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + name +
         (ns.empty() ? "" : "\n  namespace: " + ns) + "\ndata: {a: b}\n";
}

inline std::string application(const std::string& name, const std::string& path) {
  return "apiVersion: plumbline.dev/v1\nkind: Application\nmetadata: {name: " + name +
         "}\nspec: {path: " + path + "}\n";
}

inline std::string definition(const std::string& scope) {
  return "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
         "metadata: {name: hives.bee.example}\nspec:\n  group: bee.example\n  scope: " +
         scope +
         "\n  names: {plural: hives, kind: Hive}\n  versions:\n  - {name: v1, served: true, "
         "storage: true, schema: {openAPIV3Schema: {type: object}}}\n";
}

inline constexpr const char* kHive =
    "apiVersion: bee.example/v1\nkind: Hive\nmetadata: {name: h}\n";

/// An engine that crashes over a folder named crash and hangs over one named hang.
inline plan::EngineOptions fake_engine(std::chrono::milliseconds deadline) {
  plan::EngineOptions options;
  options.program = PLUMB_FAKE_ENGINE;
  options.max_children = 2;
  options.deadline = deadline;
  return options;
}

inline plan::EngineOptions engine_options() {
  plan::EngineOptions options;
  options.program = engines_program();
  options.max_children = 1;
  return options;
}

/// plumbd's planning over one data folder; the cluster cannot be reached and was never seen.
struct Planning {
  explicit Planning(const config::ServerConfig& the_config,
                    const plan::EngineOptions& with = engine_options())
      : config(the_config), engines(with) {
    must(keys.open({"default"}));
  }
  static config::ServerConfig config_of(const std::string& data,
                                        const std::vector<std::string>& repositories) {
    config::ServerConfig config;
    config.data_dir = data;
    config.clusters = {{"eu-1", data + "/no.kubeconfig", "", {}}};
    for (const std::string& path : repositories) {
      config::RepositoryBinding binding;
      binding.name = "shop" + std::to_string(config.repositories.size());
      binding.path = path;
      binding.clusters = {"eu-1"};
      config.repositories.push_back(binding);
    }
    return config;
  }
  const config::RepositoryBinding& binding(std::size_t i = 0) const {
    return config.repositories.at(i);
  }

  /// Looks at the repository and waits until what is there is judged.
  void look(std::size_t i = 0) {
    must(planner.observe(binding(i), Trigger::scan, system_actor(), ""));
    planner.wake();
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (std::chrono::steady_clock::now() < deadline) {
      const auto seen = hub.version();
      const auto open = must(store->read<std::vector<queue::StoredEvent>>(
          [](auto& db) { return queue::unplanned(db, 10); }));
      if (open.empty()) return;
      hub.wait_past(seen, 100ms);
    }
    FAIL("not planned in time");
  }
  std::vector<Job> jobs(const std::string& commit) {
    queue::JobFilter filter;
    filter.commit = commit;
    return must(store->read<std::vector<Job>>([&](auto& db) { return queue::jobs(db, filter); }));
  }
  Judgement judge(const std::string& commit, std::size_t i = 0) {
    return must(planner.judge(binding(i), {{{kMain, std::string(40, '0'), commit}}, {}, {}}));
  }

  config::ServerConfig config;
  SystemClock clock;
  std::unique_ptr<sqlite::Store> store = must(
      sqlite::Store::open(config.data_dir + "/p.db",
                          {queue::schema(), audit::schema(), apply::schema(), plan::schema()}));
  Claims claims;
  ProgressHub hub;
  Keys keys{config.data_dir + "/keys"};
  Ledger ledger{*store, clock, claims, hub,
                [this](const std::string& project) -> const plan::ProjectKey& {
                  return keys.key_of(project);
                }};
  std::unique_ptr<Clusters> clusters = must(Clusters::start(config, clock, {}));
  plan::EnginePool engines;
  Planner planner{{config, ledger, *clusters, engines, claims, keys, hub, [] {}}};
};

struct Bed {
  TempFolder data;
  TempRepo repo;
  TempRepo other;
  config::ServerConfig config = Planning::config_of(data.path(), {repo.path(), other.path()});

  static std::string move(const TempRepo& where,
                          const Files& files,
                          const std::string& parent = {}) {
    const std::string commit = where.commit(files, parent);
    where.git({"update-ref", kMain, commit});
    return commit;
  }
};

inline const Files kTwoApps{{"apps/web/dev/a.yaml", config_map("a")},
                            {"apps/api/dev/b.yaml", config_map("b")}};

}  // namespace plumb::worker
