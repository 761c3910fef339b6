#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "plan/update.h"

namespace plumb::plan {
namespace {

/// Who recorded an answer. `app` null: the discovery.
struct Use {
  Looked looked = Looked::file;
  std::string value;
  std::shared_ptr<const PlannedApp> app;
  std::shared_ptr<const Closure> discovery;
};

/// The folder above; nullopt above the root.
std::optional<std::string> above(const std::string& path) {
  if (path.empty()) return std::nullopt;
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

std::string owner_key(const std::string& cluster, const std::string& identity) {
  return cluster + "\n" + identity;
}

}  // namespace

/// Layers, oldest and largest first: a new state adds a small one for what it planned anew, and
/// layers merge when a younger one is half as large as the one below (so a look-up asks O(log n) of
/// them, and an entry is copied O(log n) times). What an application recorded before it was planned
/// again stays in older layers and is passed over.
struct RepoState::Index {
  struct Layer {
    std::unordered_map<std::string, std::vector<Use>> uses;  // by path
    std::unordered_map<std::string, std::vector<std::shared_ptr<const PlannedApp>>> owners;
    std::size_t size = 0;

    void add(const ClosureEntry& entry, Use use) {
      use.looked = entry.looked;
      use.value = entry.value;
      uses[entry.path].push_back(std::move(use));
      ++size;
    }
    void add(const std::shared_ptr<const PlannedApp>& app) {
      for (const ClosureEntry& entry : app->closure) add(entry, Use{{}, {}, app, nullptr});
      for (const std::string& identity : app->identities)
        owners[owner_key(app->application.id.cluster, identity)].push_back(app);
    }
    void add(const std::shared_ptr<const Closure>& discovery) {
      for (const ClosureEntry& entry : *discovery) add(entry, Use{{}, {}, nullptr, discovery});
    }
  };
  std::vector<std::shared_ptr<const Layer>> layers;
};

namespace {

bool is_current(const RepoState& state, const std::shared_ptr<const PlannedApp>& app) {
  const auto now = state.apps.find(app->application.id);
  return now != state.apps.end() && now->second == app;
}

bool is_current(const RepoState& state, const Use& use) {
  return use.app ? is_current(state, use.app) : use.discovery == state.discovery;
}

/// Records that a change of one path may break.
class Suspects {
 public:
  void add(const git::TreeChange& change) {
    paths_[change.path] = true;
    const bool same_kind =
        change.before && change.after && change.before->kind == change.after->kind;
    if (same_kind) return;
    // A name came or went, and with it perhaps the folders it lies in.
    for (auto folder = above(change.path); folder; folder = above(*folder))
      paths_.try_emplace(*folder, false);
  }

  /// Path → did it change itself; else something came or went below it.
  [[nodiscard]] const std::map<std::string, bool>& paths() const { return paths_; }

 private:
  std::map<std::string, bool> paths_;
};

}  // namespace

Result<RepoState::Touched> RepoState::touched_by(const std::vector<git::TreeChange>& changes,
                                                 git::Repository& repository,
                                                 const std::string& changed_tree) const {
  Touched touched;
  if (!index_) return touched;
  Suspects suspects;
  for (const git::TreeChange& change : changes) suspects.add(change);
  std::set<AppId> broken;
  std::map<std::pair<std::string, Looked>, bool> known;  // all records of one state agree
  for (const auto& [path, itself] : suspects.paths()) {
    for (const auto& layer : index_->layers) {
      const auto uses = layer->uses.find(path);
      if (uses == layer->uses.end()) continue;
      for (const Use& use : uses->second) {
        if (!itself && use.looked == Looked::file) continue;
        if (!is_current(*this, use)) continue;
        const auto [answer, fresh] = known.try_emplace({path, use.looked}, true);
        if (fresh)
          answer->second = TRY(holds({use.looked, path, use.value}, repository, changed_tree));
        if (answer->second) continue;
        if (use.app) broken.insert(use.app->application.id);
        touched.discovery = touched.discovery || !use.app;
      }
    }
  }
  touched.apps.assign(broken.begin(), broken.end());
  return touched;
}

std::optional<AppId> RepoState::owner(const std::string& cluster,
                                      const std::string& identity,
                                      const AppId& but) const {
  if (!index_) return std::nullopt;
  for (const auto& layer : index_->layers) {
    const auto owners = layer->owners.find(owner_key(cluster, identity));
    if (owners == layer->owners.end()) continue;
    for (const auto& app : owners->second) {
      if (app->application.id != but && is_current(*this, app)) return app->application.id;
    }
  }
  return std::nullopt;
}

void RepoState::reindex(const RepoState& base) {
  auto index = std::make_shared<Index>();
  if (base.index_) index->layers = base.index_->layers;
  auto fresh = std::make_shared<Index::Layer>();
  for (const auto& [id, app] : apps) {
    const auto before = base.apps.find(id);
    if (!base.index_ || before == base.apps.end() || before->second != app) fresh->add(app);
  }
  if (discovery && (!base.index_ || discovery != base.discovery)) fresh->add(discovery);
  std::shared_ptr<const Index::Layer> top = std::move(fresh);
  while (!index->layers.empty() && index->layers.back()->size <= 2 * top->size) {
    auto merged = std::make_shared<Index::Layer>();
    for (const Index::Layer* layer : {index->layers.back().get(), top.get()}) {
      for (const auto& [path, uses] : layer->uses) {
        for (const Use& use : uses) {
          if (is_current(*this, use)) merged->add({use.looked, path, use.value}, use);
        }
      }
      for (const auto& [key, owners] : layer->owners) {
        for (const auto& app : owners) {
          if (is_current(*this, app)) merged->owners[key].push_back(app);
        }
      }
    }
    index->layers.pop_back();
    top = std::move(merged);
  }
  if (top->size > 0) index->layers.push_back(std::move(top));
  index_ = std::move(index);
}

}  // namespace plumb::plan
