#pragma once
/// From "something moved" to jobs: reads the refs, takes the difference, renders what it touches,
/// judges it, and stores plan and jobs. The same judgement answers a push before it lands.
///
///   State    one RepoState per (repository, branch that deploys), immutable, rebuilt at start from
///            Git and the render cache
///   Threads  judge() from any; planning on one thread of its own
///   Promise  a repository, branch or tree that cannot be read never means "delete"
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "config/server_config.h"
#include "core/guarded.h"
#include "plan/diff.h"
#include "plan/engine_pool.h"
#include "plan/locate.h"
#include "plan/update.h"
#include "worker/claims.h"
#include "worker/clusters.h"
#include "worker/judge.h"
#include "worker/keys.h"
#include "worker/ledger.h"

namespace plumb::worker {

/// A push as it asks to be let in.
struct PushRequest {
  std::vector<RefUpdate> refs;
  std::vector<std::string>
      object_dirs;                     ///< quarantine and alternates, besides the repository's own
  std::chrono::milliseconds spent{0};  ///< of the hook's deadline, before it is judged
};

/// How far a judgement came by its deadline. Any thread.
class JudgedSoFar {
 public:
  explicit JudgedSoFar(std::chrono::steady_clock::time_point deadline) : deadline_(deadline) {}
  /// Notes it, as plan::GoOn. False: the time is over.
  bool go_on(std::size_t planned, const std::vector<Application>& all);
  struct Count {
    std::vector<AppId> all;
    std::size_t judged = 0;  ///< the first ones of `all`
  };
  [[nodiscard]] Count count() const {
    return count_.with([](const Count& count) { return count; });
  }

 private:
  const std::chrono::steady_clock::time_point deadline_;
  Guarded<Count> count_;
  std::size_t before_ = 0;  // of other refs of the push; of the judging thread
};

struct JudgedVerdict {
  Verdict verdict;
  std::vector<plan::SourceLine>
      source;  ///< the offending line and the one before; never of a Secret
};

struct JudgedApp {
  AppId id;
  plan::Affected::How how = plan::Affected::How::changed;
  std::vector<plan::ObjectChange> changes;  ///< against what was applied last
  bool ok = true;
};

struct Judgement {
  bool accepted = true;
  bool tracked = false;  ///< false: no ref of the push deploys
  int commits = 0;
  std::size_t changed_files = 0;
  std::string changed_folder;  ///< the folder all changed files lie in, "" = the root
  std::size_t applications_total = 0;
  std::vector<JudgedApp> applications;
  std::vector<JudgedVerdict> verdicts;
  std::vector<std::string> notes;
  bool deadline_passed = false;
  int judged = 0;
  int rendered = 0;
};

/// Why the newest commit of a branch is not planned.
struct Refusal {
  std::string commit;
  std::vector<Verdict> verdicts;
};

class Planner {
 public:
  struct Parts {
    const config::ServerConfig& config;
    Ledger& ledger;
    Clusters& clusters;
    plan::EnginePool& engines;
    Claims& claims;
    Keys& keys;
    ProgressHub& hub;
    std::function<void()> jobs_ready;
  };
  explicit Planner(Parts parts);
  ~Planner();

  /// Rebuilds the states of all branches. A repository that cannot be read now is planned afresh
  /// later, against what the database knows of its applications.
  void load();
  void start();
  void stop();  ///< ends planning; what is not planned stays accepted
  void wake();

  /// The answer to a push, within the repository's deadline: what is not judged by then is not
  /// rendered any further. Kept, so that planning it costs no render.
  Result<Judgement> judge(const config::RepositoryBinding& binding, const PushRequest& push);

  /// Reads every branch that deploys; an event for each that is not where it was planned and for
  /// which none waits. Returns how many.
  Result<int> observe(const config::RepositoryBinding& binding,
                      Trigger trigger,
                      const Actor& actor,
                      const std::string& reason);

  [[nodiscard]] std::shared_ptr<const plan::RepoState> state(const std::string& repository,
                                                             const std::string& ref) const;
  [[nodiscard]] std::optional<Refusal> refusal(const std::string& repository,
                                               const std::string& ref) const;
  [[nodiscard]] std::size_t applications_total() const;
  /// Renders that ran since the start; what the cache answered does not count.
  [[nodiscard]] std::int64_t renders() const { return renders_; }

 private:
  using Branch = std::pair<std::string, std::string>;  // repository, full ref
  struct CachedUpdate {
    Branch branch;
    std::string base, commit;
    plan::Update update;
    std::vector<Verdict> verdicts;  // of structure and schema; owners are compared at each use
    std::vector<PlannedEvent::Render> renders;
  };
  struct Known {  // what the applications of a branch were, where its tree cannot say
    Application application;
    std::string digest;
  };
  struct Later {
    std::chrono::steady_clock::time_point at;
    std::chrono::milliseconds wait{0};
    std::string commit;  // that was tried last
    int lost = 0;        // renders of it that ended their engine, in a row
  };

  // planner.cpp
  void run(const std::stop_token& stop);
  void plan_waiting(const std::stop_token& stop);
  Result<> plan_event(const queue::StoredEvent& event);
  Result<> plan_ref(const queue::StoredEvent& event,
                    const config::RepositoryBinding& binding,
                    const std::string& ref);
  PlannedEvent planned_event(const queue::StoredEvent& event,
                             const Branch& branch,
                             const CachedUpdate& update,
                             std::vector<Verdict> verdicts);
  Result<> store_plan(const PlannedEvent& planned,
                      const Branch& branch,
                      const CachedUpdate& update);
  void give_up(const queue::StoredEvent& event, const Error& error);
  void try_later(const queue::StoredEvent& event, Error error);
  void adopt(const Branch& branch, const std::shared_ptr<const plan::RepoState>& next);
  const config::RepositoryBinding* binding_of(const std::string& repository) const;

  // planner_load.cpp
  Result<> load_branch(const config::RepositoryBinding& binding, const std::string& ref);
  void mend_plans();
  Result<> mend_plan(const Job& job);

  // planner_update.cpp
  Result<CachedUpdate> update_to(const config::RepositoryBinding& binding,
                                 const std::string& ref,
                                 git::Repository& repository,
                                 const std::string& commit,
                                 const plan::GoOn& go_on = {});
  Result<CachedUpdate> make_update(const config::RepositoryBinding& binding,
                                   const Branch& branch,
                                   const plan::RepoState& base,
                                   git::Repository& repository,
                                   const std::string& commit,
                                   const plan::GoOn& go_on);
  Result<std::string> digest_in_git(const queue::AppRow& row);
  Result<std::map<AppId, Known>> known_apps(const Branch& branch, const plan::RepoState& base);
  void remember_definitions(const plan::Update& update);
  [[nodiscard]] plan::IsNamespaced scope_of(const std::string& cluster) const;
  plan::UpdateTools tools(git::Repository& repository, std::vector<PlannedEvent::Render>* renders);
  std::optional<plan::CachedPlan> look_up(const Application& app,
                                          git::Repository& repository,
                                          const std::string& tree);
  std::string parameters_hash(const Application& app);
  std::string engine_version();
  std::vector<Verdict> judge_update(const plan::Update& update);
  std::vector<Verdict> judge_ownership(const Branch& branch, const plan::Update& update) const;
  std::shared_ptr<const plan::ClusterSchema> schema_for(const std::string& cluster,
                                                        const plan::Update& update);

  // planner_judge.cpp
  Result<Judgement> judge_now(const config::RepositoryBinding& binding,
                              const PushRequest& push,
                              JudgedSoFar& so_far);
  Result<> judge_ref(const config::RepositoryBinding& binding,
                     git::Repository& repository,
                     const RefUpdate& update,
                     JudgedSoFar& so_far,
                     Judgement& judgement);
  [[nodiscard]] Judgement judged_late(const config::RepositoryBinding& binding,
                                      const JudgedSoFar& so_far) const;
  std::vector<plan::ObjectChange> changes_of(const plan::Affected& affected);

  Parts parts_;
  Judge judge_;
  Guarded<std::string> engine_version_;
  Guarded<std::map<Branch, std::shared_ptr<const plan::RepoState>>> states_;
  Guarded<std::map<Branch, Refusal>> refusals_;
  Guarded<std::vector<CachedUpdate>> recent_;  // newest last, bounded
  Guarded<std::map<std::string, std::map<std::string, std::string>>>
      crds_;  // cluster → identity → JSON
  Guarded<std::map<std::string, std::map<std::string, bool>>>
      scopes_;                      // of these: cluster → plan::scope_name → namespaced
  std::map<EventId, Later> later_;  // of the planning thread: events that could not be planned yet
  PlannedEvent trying_;             // of the planning thread: the ref and commits it plans now
  std::atomic<std::int64_t> scans_{0};
  std::atomic<std::int64_t> renders_{0};
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool look_ = true;
  // Judgements that outlived their deadline, and whether they are over by now.
  Guarded<std::vector<std::pair<std::shared_ptr<std::atomic<bool>>, std::jthread>>> judging_;
  std::jthread thread_;
};

}  // namespace plumb::worker
