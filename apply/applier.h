#pragma once
/// Brings a cluster to a plan: intents, server-side apply in the order of a graph, prune, health.
///
///   Order    CustomResourceDefinitions (until Established) and Namespaces, then waves
///            (annotation plumbline.dev/wave, an integer, default 0) one after the other; inside a
///            wave everything at once. Prune after the last wave, in reverse wave order; then
///            health.
///   Safe     between any two calls the job may be told to stop (superseded, lease lost, shutdown)
///   Threads  apply_plan runs on the caller's thread and uses others for calls
#include <chrono>
#include <functional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "apply/cluster.h"
#include "apply/inventory.h"
#include "core/job.h"
#include "core/plan.h"

namespace plumb::apply {

/// What the applier needs kept while it works. Each call returns after the fact is durable, and
/// fails with `conflict` when the lease is no longer ours: then nothing more may be called.
class Journal {
 public:
  virtual ~Journal() = default;
  virtual Result<> intend(const std::vector<InventoryItem>& items) = 0;
  virtual Result<> applied(const std::vector<InventoryItem>& items,
                           const std::vector<std::string>& audit_ids) = 0;
  virtual Result<> intend_prune(const std::vector<std::string>& identities) = 0;
  virtual Result<> gone(const std::vector<std::string>& identities) = 0;
  /// For people: "applying 2/3", "waiting for Deployment shop/web: 1 of 3 ready". May be dropped.
  virtual void progress(const std::string& phase,
                        const Counts& counts,
                        int done,
                        int total,
                        const std::string& message) = 0;
  /// Is there time for one more call of this length under the lease?
  virtual bool may_call(std::chrono::milliseconds timeout) = 0;
};

struct PruneGuard {
  double max_share = 0.30;  ///< of the inventory
  std::size_t max_objects = 50;
  bool confirmed = false;  ///< a person said yes to exactly this plan
};

struct ApplyRequest {
  Plan plan;
  std::vector<InventoryItem> inventory;     ///< of this application, now
  std::set<std::string> claimed_elsewhere;  ///< identities that another application's newest plan
                                            ///< holds: hand over, never prune
  PruneGuard guard;
  bool reapply_unchanged = false;  ///< manual sync: also what the inventory says is applied
  std::chrono::milliseconds call_timeout{15'000};
  int parallel_calls = 16;
};

/// Ends healthy, superseded (stop asked), failed (permanent: invalid, denied, health deadline or a
/// failed object), retry (unavailable, conflict) or waiting (the prune guard asks a person).
Outcome apply_plan(const ApplyRequest& request,
                   Cluster& cluster,
                   Journal& journal,
                   std::stop_token stop);

/// What a plan would do to an inventory, without a cluster.
struct Preview {
  std::vector<ObjectKey> create, change, unchanged, prune, handed_over;
};
[[nodiscard]] Preview preview(const Plan& plan,
                              const std::vector<InventoryItem>& inventory,
                              const std::set<std::string>& claimed_elsewhere);

}  // namespace plumb::apply
