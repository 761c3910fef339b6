#pragma once
/// From "something moved" to jobs: reads the refs, takes the difference, renders what it touches,
/// judges it, and stores plan and jobs. The same judgement answers a push before it lands.
///
///   State    one RepoState per (repository, branch that deploys), immutable, rebuilt at start from
///            Git and the render cache
///   Threads  judge() from any; planning on one thread of its own
#include <atomic>
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
#include "plan/update.h"
#include "worker/claims.h"
#include "worker/clusters.h"
#include "worker/keys.h"
#include "worker/ledger.h"

namespace plumb::worker {

/// A push as it asks to be let in.
struct PushRequest {
  std::vector<RefUpdate> refs;
  std::vector<std::string> object_dirs;  ///< quarantine and alternates, besides the repository's own
};

struct SourceLine {
  int line = 0;
  std::string text;
};

struct JudgedVerdict {
  Verdict verdict;
  std::vector<SourceLine> source;  ///< the offending line and the one before; never of a Secret
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

  /// Rebuilds the states of all branches. A repository that cannot be read now is tried again later.
  void load();
  void start();
  void wake();

  Result<Judgement> judge(const config::RepositoryBinding& binding, const PushRequest& push);

  /// Reads every branch that deploys; an event for each that is not where it was planned.
  Result<int> observe(const config::RepositoryBinding& binding, Trigger trigger, const Actor& actor,
                      const std::string& reason, const std::string& delivery_id);

  [[nodiscard]] std::shared_ptr<const plan::RepoState> state(const std::string& repository,
                                                             const std::string& ref) const;
  [[nodiscard]] std::optional<Refusal> refusal(const std::string& repository, const std::string& ref) const;
  [[nodiscard]] std::size_t applications_total() const;

 private:
  using Branch = std::pair<std::string, std::string>;  // repository, full ref
  struct CachedUpdate {
    Branch branch;
    std::string base, commit;
    plan::Update update;
    std::vector<Verdict> verdicts;
  };
  void run(const std::stop_token& stop);
  Result<> plan_event(const queue::StoredEvent& event);
  Result<> plan_ref(const queue::StoredEvent& event, const config::RepositoryBinding& binding,
                    const std::string& ref);
  Result<CachedUpdate> update_to(const config::RepositoryBinding& binding, const std::string& ref,
                                 git::Repository& repository, const std::string& commit);
  plan::UpdateTools tools(git::Repository& repository);
  std::string parameters_hash(const Application& app);
  std::vector<Verdict> judge_update(const plan::Update& update);
  void adopt(const Branch& branch, const plan::Update& update);
  Result<> load_branch(const config::RepositoryBinding& binding, const std::string& ref);
  Result<Judgement> judge_ref(const config::RepositoryBinding& binding, git::Repository& repository,
                              const RefUpdate& update, Judgement so_far);
  std::vector<plan::ObjectChange> changes_of(const plan::Affected& affected);
  const config::RepositoryBinding* binding_of(const std::string& repository) const;

  Parts parts_;
  std::string engine_version_;
  Guarded<std::map<Branch, std::shared_ptr<const plan::RepoState>>> states_;
  Guarded<std::map<Branch, Refusal>> refusals_;
  Guarded<std::vector<CachedUpdate>> recent_;  // newest last, bounded
  Guarded<std::map<std::string, std::map<std::string, std::string>>> crds_;  // cluster → identity → JSON
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool look_ = true;
  std::jthread thread_;
};

}  // namespace plumb::worker
