#pragma once
/// One attempt to bring a cluster to a plan: what the steps of apply_plan share. Private to apply/.
#include <atomic>
#include <map>
#include <string>
#include <vector>

#include "apply/applier.h"
#include "apply/order.h"

namespace plumb::apply {

/// A call that was not made, or had no good end.
struct Refusal {
  const Manifest* manifest = nullptr;  // null: of a prune
  std::string title;
  Error error;
};

class Attempt {
 public:
  Attempt(const ApplyRequest& request, Cluster& cluster, Journal& journal, std::stop_token stop);

  Outcome run();

 private:
  Result<> go();

  // applier.cpp
  Result<> apply_wave(const Wave& wave, int index, int waves);
  Result<> ensure_namespace();
  Result<> wait_for_definitions(const std::vector<const Manifest*>& definitions);
  Result<> call_all(const std::vector<const Manifest*>& objects,
                    int wave,
                    const std::string& phase);
  Result<> record(const std::vector<const Manifest*>& objects,
                  const std::vector<Result<Live>>& answers,
                  const std::vector<std::size_t>& ended,
                  int wave);
  [[nodiscard]] bool is_unchanged(const Manifest& manifest) const;
  [[nodiscard]] InventoryItem item_of(const Manifest& manifest, int wave) const;

  // calls.cpp
  /// One call with its quick retries. Any thread.
  template <class T>
  Result<T> with_retries(const std::function<Result<T>()>& call);
  Result<Live> apply_one(const Manifest& manifest);
  Result<bool> remove_one(const InventoryItem& item);
  Result<> before_call();  // stop asked, lease short, or another call has shown it is no use
  void pause(int attempt);
  Result<> first_refusal();

  // prune.cpp
  Result<> prune();
  Result<> orphan(const std::vector<const InventoryItem*>& items);
  Result<> prune_wave(const std::vector<const InventoryItem*>& items);
  [[nodiscard]] std::string guard_question(const std::vector<const InventoryItem*>& items) const;
  [[nodiscard]] std::vector<const InventoryItem*> prunable() const;

  // health_wait.cpp
  Result<> wait_for_health();
  [[nodiscard]] std::vector<ObjectKey> unsure() const;

  Outcome end_with(const Error& error) const;
  void say(const std::string& phase, const std::string& message = {});

  const ApplyRequest& request_;
  Cluster& cluster_;
  Journal& journal_;
  std::stop_token stop_;
  std::map<std::string, const InventoryItem*> known_;  // by identity
  std::map<std::string, bool> sure_;  // identity → the answer to our own call was already healthy
  std::vector<Refusal> refusals_;
  Counts counts_;
  int done_ = 0;
  int total_ = 0;
  bool question_ = false;                // the guard asks: ends as `waiting`
  bool health_deadline_passed_ = false;  // permanent, though it says unavailable
  std::atomic<bool> superseded_{false};
  std::atomic<bool> hopeless_{false};  // no more calls: the lease or the cluster is gone
};

}  // namespace plumb::apply
