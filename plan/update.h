#pragma once
/// A push as a difference: which applications a new commit touches, and what each becomes.
///
///   Work     proportional to the change. A tree diff against the recorded closures names the
///            candidates; only those are rendered; one whose plan digest stays the same is not affected.
///   Values   RepoState is immutable; an Update carries the next one. Pure but for the reads.
#include <map>
#include <memory>
#include <string>
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
  std::vector<std::string> identities;  ///< ObjectKey::identity() of each object, sorted: who owns what
};

/// What one ref of a repository declares at one commit.
class RepoState {
 public:
  std::string commit;  ///< "" before the first
  std::string tree;
  Closure discovery;
  std::map<AppId, std::shared_ptr<const PlannedApp>> apps;

  /// Applications whose closure any of these changes may touch. O(changes), from an index that is
  /// shared between states that differ little.
  [[nodiscard]] std::vector<AppId> touched_by(const std::vector<git::TreeChange>& changes) const;
  void reindex();

 private:
  struct Index;
  std::shared_ptr<const Index> index_;
};

struct Affected {
  enum class How { added, changed, removed };
  How how = How::changed;
  Application application;
  std::string old_digest;  ///< "" when added
  Plan plan;               ///< with objects; remove_application when removed
};

struct Update {
  std::shared_ptr<const RepoState> next;
  std::vector<Affected> affected;  ///< sorted by id
  std::vector<Verdict> verdicts;   ///< with a deny among them `next` must not be used
  int rendered = 0;                ///< engines that ran
  int from_cache = 0;
  std::size_t changed_paths = 0;
};

/// Asked before an engine runs; nullopt: render. May be empty.
using LookUpRender = std::function<std::optional<Plan>(const Application&, const std::string& tree)>;
/// Told after an engine ran. May be empty.
using KeepRender = std::function<void(const Plan&, const Closure&)>;
using KeyOf = std::function<const ProjectKey&(const std::string& project)>;

struct UpdateTools {
  EnginePool& engines;
  KeyOf key_of;
  std::function<IsNamespaced(const std::string& cluster)> scope_of;
  LookUpRender look_up;
  KeepRender keep;
};

/// What `commit` makes of `base` (which may be empty: everything is new).
Result<Update> plan_update(const RepoState& base,
                           git::Repository& repository,
                           const std::string& commit,
                           const config::RepositoryBinding& binding,
                           UpdateTools& tools);

}  // namespace plumb::plan
