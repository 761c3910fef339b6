#include "worker/run_job.h"

#include "apply/applier.h"
#include "core/failpoint.h"

namespace plumb::worker {
namespace {

/// The applier's journal, kept by plumbd at the other end of the link.
class LinkJournal final : public apply::Journal {
 public:
  LinkJournal(Link& link, JobId job) : link_(link), job_(job) {}

  Result<> intend(const std::vector<apply::InventoryItem>& items) override {
    WorkerCall call;
    call.items = items;
    return link_.call("INTEND", std::move(call));
  }
  Result<> applied(const std::vector<apply::InventoryItem>& items,
                   const std::vector<std::string>& audit_ids) override {
    WorkerCall call;
    call.items = items;
    call.audit_ids = audit_ids;
    return link_.call("APPLIED", std::move(call));
  }
  Result<> intend_prune(const std::vector<std::string>& identities) override {
    WorkerCall call;
    call.identities = identities;
    return link_.call("PRUNE", std::move(call));
  }
  Result<> gone(const std::vector<std::string>& identities) override {
    WorkerCall call;
    call.identities = identities;
    return link_.call("GONE", std::move(call));
  }
  void progress(const std::string& phase, const Counts& counts, int done, int total,
                const std::string& message) override {
    link_.progress({job_, phase, counts, done, total, message});
  }
  bool may_call(std::chrono::milliseconds timeout) override { return link_.may_call(timeout); }

 private:
  Link& link_;
  JobId job_;
};

Outcome ended_by(const Error& error) {
  using Ending = Outcome::Ending;
  const bool again = error.code == Errc::unavailable || error.code == Errc::conflict;
  return {again ? Ending::retry : Ending::failed, error.code, error.message, {}};
}

Result<Outcome> stages(const JobOrder& job, Link& link, const ClusterOf& cluster_of) {
  FAILPOINT("worker.before_plan");
  apply::ApplyRequest request;
  auto order = TRY(link.order());                                                    // plan
  if (!order.hold.empty()) return Outcome{Outcome::Ending::waiting, {}, order.hold, {}};  // gate
  const auto cluster = TRY(cluster_of(job.job.app.cluster, job));
  request.plan = std::move(order.plan);
  request.inventory = std::move(order.inventory);
  request.claimed_elsewhere = std::move(order.claimed_elsewhere);
  request.guard.confirmed = order.prune_confirmed;
  request.reapply_unchanged = order.reapply_unchanged;
  LinkJournal journal(link, job.job.id);
  return apply::apply_plan(request, *cluster, journal, link.stop_token());           // apply
}

}  // namespace

Outcome run_job(const JobOrder& job, Link& link, const ClusterOf& cluster_of) {
  auto outcome = stages(job, link, cluster_of);
  return outcome ? *std::move(outcome) : ended_by(outcome.error());
}

}  // namespace plumb::worker
