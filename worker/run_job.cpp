#include "worker/run_job.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "apply/applier.h"
#include "core/failpoint.h"
#include "core/scrub.h"
#include "drivers/crypto/crypto.h"
#include "drivers/json/fields.h"
#include "drivers/json/json.h"

namespace plumb::worker {
namespace {

/// The applier's journal, kept by plumbd at the other end of the link.
class LinkJournal final : public apply::Journal {
 public:
  LinkJournal(Link& link, JobId job, const Scrubber& scrubber)
      : link_(link), job_(job), scrubber_(scrubber) {}

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
  void progress(const std::string& phase,
                const Counts& counts,
                int done,
                int total,
                const std::string& message) override {
    link_.progress({job_, phase, counts, done, total, scrubber_.clean(message)});
  }
  bool may_call(std::chrono::milliseconds timeout) override { return link_.may_call(timeout); }

 private:
  Link& link_;
  JobId job_;
  const Scrubber& scrubber_;
};

/// The secret values of a plan, as they may come back in somebody's message: as they stand, and
/// what they are in base64.
Scrubber scrubber_of(const Plan& plan) {
  Scrubber scrubber;
  for (const Manifest& manifest : plan.objects) {
    if (!manifest.tainted) continue;
    const auto object = json::parse(manifest.json, {.max_depth = 200});
    if (!object) continue;
    for (const char* part : {"data", "stringData"}) {
      for (const auto& value : json::object(*object, part)) {
        if (!value.is_string()) continue;
        const auto text = value.get<std::string>();
        scrubber.add(text);
        if (const auto plain = crypto::unbase64(text)) scrubber.add(*plain);
      }
    }
  }
  return scrubber;
}

/// A call must end well within what the lease has left before its next renewal.
std::chrono::milliseconds call_timeout(std::int64_t lease_ms) {
  constexpr std::chrono::milliseconds kMost{15'000};
  return std::min(kMost, std::chrono::milliseconds(lease_ms / 2));
}

Outcome ended_by(const Error& error) {
  using Ending = Outcome::Ending;
  const bool again = error.code == Errc::unavailable || error.code == Errc::conflict;
  return {again ? Ending::retry : Ending::failed, error.code, error.message, {}};
}

Result<Outcome> stages(const JobOrder& job, Link& link, const ClusterOf& cluster_of) {
  FAILPOINT("worker.before_plan");
  apply::ApplyRequest request;
  auto order = TRY(link.order());                                                         // plan
  if (!order.hold.empty()) return Outcome{Outcome::Ending::waiting, {}, order.hold, {}};  // gate
  const auto cluster = TRY(cluster_of(job.job.app.cluster, job));
  request.plan = std::move(order.plan);
  request.inventory = std::move(order.inventory);
  request.claimed_elsewhere = std::move(order.claimed_elsewhere);
  request.guard.confirmed = order.prune_confirmed;
  request.reapply_unchanged = order.reapply_unchanged;
  request.call_timeout = call_timeout(job.lease_ms);
  const Scrubber scrubber = scrubber_of(request.plan);
  LinkJournal journal(link, job.job.id, scrubber);
  auto outcome = apply::apply_plan(request, *cluster, journal, link.stop_token());  // apply
  outcome.message = scrubber.clean(outcome.message);
  return outcome;
}

}  // namespace

Outcome run_job(const JobOrder& job, Link& link, const ClusterOf& cluster_of) {
  auto outcome = stages(job, link, cluster_of);
  return outcome ? *std::move(outcome) : ended_by(outcome.error());
}

}  // namespace plumb::worker
