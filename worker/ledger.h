#pragma once
/// The domain's operations on state, each one transaction: the change, its consequences and its audit
/// leaf together (I7). Everything that plumbd stores about jobs goes through here.
///
///   Threads  any
///   Errors   conflict: the lease is not the current one, nothing was changed; unavailable, fault: the
///            store
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apply/inventory.h"
#include "audit/audit.h"
#include "core/clock.h"
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
  queue::StoredEvent event;
  std::string ref, old_commit, new_commit;  ///< the ref as it was read, not as the event says
  std::vector<plan::Affected> affected;
  bool accept = true;  ///< false: verdicts say no; the commit is noted, no job is made
  std::string note;
};

class Ledger {
 public:
  Ledger(sqlite::Store& store, const Clock& clock, Claims& claims, ProgressHub& hub, plan::KeyOf key_of);

  // ---- intake and planning ----
  Result<queue::Accepted> accept(const Event& event, std::string_view raw = {});
  Result<std::vector<JobId>> record_plan(const PlannedEvent& planned);
  Result<> ignore_event(const queue::StoredEvent& event, const std::string& note);
  Result<> refuse_push(const Event& event, const std::vector<Verdict>& verdicts);

  // ---- a worker's operations, all fenced by the lease ----
  Result<std::optional<queue::Claimed>> claim(const std::string& worker, std::chrono::milliseconds lease);
  Result<Lease> renew(const Lease& lease, std::chrono::milliseconds by);
  Result<WorkOrder> order(const Lease& lease);
  Result<> intend(const WorkerCall& call);
  Result<> applied(const WorkerCall& call);
  Result<> intend_prune(const WorkerCall& call);
  Result<> gone(const WorkerCall& call);
  Result<> settle(const WorkerCall& call);

  // ---- commands of people ----
  /// A job that a person asked for. `plan` is the digest to apply.
  Result<JobId> command(const Actor& actor, Trigger trigger, JobKind kind, const queue::AppRow& app,
                        const std::string& commit, const std::string& plan, const std::string& reason,
                        bool confirm_prune, bool reapply);
  Result<> suspend(const Actor& actor, const AppId& app, const std::string& reason);
  Result<> resume(const Actor& actor, const AppId& app, const std::string& reason);

  /// Leases of a process that is gone (ours, before a restart) end now.
  Result<int> expire_leases_of(const std::string& worker_prefix);
  Result<> sweep(const queue::Retention& keep);

  [[nodiscard]] sqlite::Store& store() { return store_; }
  [[nodiscard]] const Clock& clock() const { return clock_; }

 private:
  struct Fenced;
  Result<Job> fenced_job(sqlite::Connection& db, const Lease& lease);
  Result<> settle_app(sqlite::Transaction& tx, const Job& job, const Outcome& outcome);
  audit::Entry entry(std::string_view verb, const Job& job, const Lease& lease) const;

  sqlite::Store& store_;
  const Clock& clock_;
  Claims& claims_;
  ProgressHub& hub_;
  plan::KeyOf key_of_;
};

}  // namespace plumb::worker
