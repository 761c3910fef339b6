#pragma once
/// The domain's operations on state, each one transaction: the change, its consequences and its
/// audit leaf together (I7). Everything that plumbd stores about jobs goes through here.
///
///   Threads  any
///   Errors   conflict: the lease is not the current one, nothing was changed; unavailable,
///            fault: the store
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "apply/inventory.h"
#include "audit/audit.h"
#include "core/clock.h"
#include "core/closure.h"
#include "core/guarded.h"
#include "core/job.h"
#include "core/plan.h"
#include "drivers/sqlite/store.h"
#include "plan/render.h"
#include "plan/update.h"
#include "queue/queue.h"
#include "worker/claims.h"
#include "worker/frames.h"
#include "worker/progress.h"

namespace plumb::worker {

/// What planning an event came to, ready to be stored.
struct PlannedEvent {
  /// A render that was made for it, to be found again (plan/plan_store.h).
  struct Render {
    Plan plan;
    Closure closure;
    std::string parameters_hash;
  };
  queue::StoredEvent event;
  std::string ref, old_commit, new_commit;  ///< the ref as it was read, not as the event says
  std::vector<plan::Affected> affected;
  std::vector<Render> renders;  ///< also of applications that came out the same
  std::string removals_wait;  ///< not empty: jobs that remove an application wait, for this reason
  bool accept = true;         ///< false: verdicts say no; the commit is noted, no job is made
  std::string note;
};

class Ledger {
 public:
  Ledger(sqlite::Store& store,
         const Clock& clock,
         Claims& claims,
         ProgressHub& hub,
         plan::KeyOf key_of);

  // ---- intake and planning ----
  Result<queue::Accepted> accept(const Event& event, std::string_view raw = {});
  Result<std::vector<JobId>> record_plan(const PlannedEvent& planned);
  Result<> ignore_event(const queue::StoredEvent& event, const std::string& note);
  /// Stores renders that were made again, which mends damaged plans (plan::save_plan).
  Result<> keep_renders(const std::vector<PlannedEvent::Render>& renders);
  /// Jobs since the last call whose plan could not be read: whoever plans renders it again.
  std::vector<Job> take_unreadable();
  Result<> refuse_push(const Event& event, const std::vector<Verdict>& verdicts);

  // ---- a worker's operations, all fenced by the lease ----
  Result<std::optional<queue::Claimed>> claim(const std::string& worker,
                                              std::chrono::milliseconds lease);
  Result<Lease> renew(const Lease& lease, std::chrono::milliseconds by);
  Result<WorkOrder> order(const Lease& lease);
  Result<> intend(const WorkerCall& call);
  Result<> applied(const WorkerCall& call);
  Result<> intend_prune(const WorkerCall& call);
  Result<> gone(const WorkerCall& call);
  Result<> settle(const WorkerCall& call);

  // ---- commands of people ----
  /// A job that a person asked for.
  struct Command {
    Actor actor;
    JobKind kind = JobKind::sync;  ///< rollback: the commit that was wanted is held
    queue::AppRow seen;            ///< the application as the person saw it
    std::string commit, plan;      ///< what to apply, and the plan's digest
    std::string reason;
    bool confirm_prune = false;
    bool reapply = false;
  };
  /// conflict: the application changed since it was seen; a newer commit must not be undone by
  /// accident.
  Result<JobId> command(const Command& command);
  Result<> suspend(const Actor& actor, const AppId& app, const std::string& reason);
  Result<> resume(const Actor& actor, const AppId& app, const std::string& reason);

  /// Leases of a process that is gone (ours, before a restart) end now.
  Result<int> expire_leases_of(const std::string& worker_prefix);
  Result<> sweep(const queue::Retention& keep);

  /// Remembers which cluster a name stands for (apply::bind_cluster_uid) and names it in the audit
  /// trail.
  Result<> bind_cluster(const std::string& cluster, const std::string& uid);
  /// Called after a job that touched a CustomResourceDefinition has ended. Set before work starts.
  void when_kinds_change(std::function<void(const std::string& cluster)> tell) {
    kinds_changed_ = std::move(tell);
  }

  [[nodiscard]] sqlite::Store& store() { return store_; }
  [[nodiscard]] const Clock& clock() const { return clock_; }

 private:
  Result<Job> fenced_job(sqlite::Connection& db, const Lease& lease);
  Result<std::vector<queue::NewJob>> save_apps(sqlite::Transaction& tx,
                                               const PlannedEvent& planned);
  Result<> save_renders(sqlite::Transaction& tx, const std::vector<PlannedEvent::Render>& renders);
  /// Leaves of the jobs that ended in this transaction without a word of their worker.
  Result<> note_ended(sqlite::Transaction& tx, JobId settled = 0);
  Result<> settle_leaf(sqlite::Transaction& tx, const Job& job, const WorkerCall& call);
  Result<> suspend_leaf(sqlite::Transaction& tx,
                        std::string_view verb,
                        const Actor& actor,
                        const queue::AppRow& row,
                        const std::string& reason);
  Result<> say(sqlite::Transaction& tx, const Job& job, std::string_view line) const;
  void note_kinds(const Job& job, const std::vector<std::string>& identities);
  Result<> settle_app(sqlite::Transaction& tx, const Job& job, const Outcome& outcome);
  audit::Entry entry(std::string_view verb, const Job& job, const Lease& lease) const;

  sqlite::Store& store_;
  const Clock& clock_;
  Claims& claims_;
  ProgressHub& hub_;
  plan::KeyOf key_of_;
  std::function<void(const std::string&)> kinds_changed_;
  Guarded<std::map<std::string, std::string>> cluster_uids_;
  Guarded<std::set<JobId>> changes_kinds_;  // running jobs that touched a definition
  Guarded<std::map<JobId, Job>> unreadable_;
};

}  // namespace plumb::worker
