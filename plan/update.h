#pragma once
/// A push as a difference: which applications a new commit touches, and what each becomes.
///
///   Work     proportional to the change. A tree diff against the recorded closures names the
///            candidates; only those are rendered; one whose plan digest stays the same is not
///            affected.
///   Values   RepoState is immutable; an Update carries the next one. Pure but for the reads.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/server_config.h"
#include "core/plan.h"
#include "core/verdict.h"
#include "drivers/git/repository.h"
#include "plan/render.h"

namespace plumb::plan {

struct PlannedApp {
  Application application;
  Closure closure;
  std::string plan_digest;
  std::vector<std::string>
      identities;  ///< ObjectKey::identity() of each object, sorted: who owns what
};

/// What one ref of a repository declares at one commit.
class RepoState {
 public:
  std::string commit;  ///< "" before the first
  std::string tree;
  std::shared_ptr<const Closure> discovery;  ///< what finding the applications read; null at first
  std::map<AppId, std::shared_ptr<const PlannedApp>> apps;

  struct Touched {
    std::vector<AppId> apps;  ///< sorted
    bool discovery = false;   ///< other applications may be declared
  };
  /// Whose closure does not hold in `tree`, which differs from this state's tree by `changes`.
  /// O(changes), from an index that is shared between states that differ little.
  Result<Touched> touched_by(const std::vector<git::TreeChange>& changes,
                             git::Repository& repository,
                             const std::string& tree) const;
  /// The application that holds an object (ObjectKey::identity()) on a cluster, other than `but`.
  [[nodiscard]] std::optional<AppId> owner(const std::string& cluster,
                                           const std::string& identity,
                                           const AppId& but) const;
  /// Call when `apps` is complete. `base`: the state that this one was copied from, or an empty
  /// one.
  void reindex(const RepoState& base);

 private:
  struct Index;
  std::shared_ptr<const Index> index_;
};

struct Affected {
  enum class How { added, changed, removed };
  How how = How::changed;  ///< changed: other objects, or other rules (sync, prune, ...) for them
  Application application;
  std::string old_digest;  ///< "" when added
  Plan plan;               ///< with objects; remove_application when removed
  Closure closure;         ///< what the render read; empty when removed
};
[[nodiscard]] std::string_view to_string(Affected::How how) noexcept;

/// The verdict on an object that `claimer` renders and `owner` holds.
[[nodiscard]] Verdict owner_conflict(const AppId& claimer,
                                     const Manifest& object,
                                     const AppId& owner);

struct Update {
  std::shared_ptr<const RepoState> next;  ///< null with a deny among the verdicts
  std::string tree;                       ///< of the commit
  std::vector<Affected> affected;         ///< sorted by id
  std::vector<Verdict> verdicts;
  int rendered = 0;  ///< engines that ran
  int from_cache = 0;
  bool guessed = false;  ///< rests on the guessed scope of a kind: ask again, do not remember
  bool stopped = false;  ///< by UpdateTools::go_on; then `next` is null and no verdict is whole
  std::size_t changed_paths = 0;
  std::string changed_folder;  ///< that all changed paths lie in; "" = the root
};

/// A render that was made before, and what it read.
struct CachedPlan {
  Plan plan;
  Closure closure;
};
/// Asked before an engine runs; nullopt: render. May be empty. What it gives must hold in `tree`.
using LookUpRender =
    std::function<std::optional<CachedPlan>(const Application&, const std::string& tree)>;
/// Told after an engine ran, unless it had to guess. May be empty.
using KeepRender = std::function<void(const Plan&, const Closure&)>;
using KeyOf = std::function<const ProjectKey&(const std::string& project)>;

/// Asked before each application that must be planned, with how many of `all` are planned by now;
/// false: stop here. May be empty.
using GoOn = std::function<bool(std::size_t planned, const std::vector<Application>& all)>;

struct UpdateTools {
  EnginePool& engines;
  KeyOf key_of;
  std::function<IsNamespaced(const std::string& cluster)> scope_of;
  LookUpRender look_up;
  KeepRender keep;
  GoOn go_on{};
};

/// What `commit` makes of `base` (which may be empty: everything is new). A Result error: the tree
/// could not be read or a render could not run; nothing is known then.
Result<Update> plan_update(const RepoState& base,
                           git::Repository& repository,
                           const std::string& commit,
                           const config::RepositoryBinding& binding,
                           UpdateTools& tools);

}  // namespace plumb::plan
