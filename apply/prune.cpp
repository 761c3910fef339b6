#include <algorithm>
#include <map>

#include "apply/attempt.h"
#include "apply/parallel.h"
#include "core/failpoint.h"

namespace plumb::apply {
namespace {

/// A share says little about a handful of objects: a renamed ConfigMap would ask every time.
constexpr std::size_t kAlwaysAllowed = 3;

bool is_precious(const ObjectKey& key) {
  return is_namespace(key) || is_definition(key) ||
         (key.group().empty() && key.kind == "PersistentVolumeClaim");
}

}  // namespace

/// What the inventory holds and the plan does not, but for what moves to another application.
std::vector<const InventoryItem*> Attempt::prunable() const {
  if (!request_.plan.application.prune && !request_.plan.remove_application) return {};
  std::set<std::string> wanted;
  for (const Manifest& manifest : request_.plan.objects) wanted.insert(manifest.key.identity());
  std::vector<const InventoryItem*> items;
  for (const InventoryItem& item : request_.inventory) {
    const std::string identity = item.key.identity();
    if (wanted.contains(identity) || request_.claimed_elsewhere.contains(identity)) continue;
    items.push_back(&item);
  }
  return items;
}

/// Why a person should say yes first; "" when nobody need.
std::string Attempt::guard_question(const std::vector<const InventoryItem*>& items) const {
  const bool remove = request_.plan.remove_application;
  const bool orphans = remove && request_.plan.application.on_delete == OnDelete::orphan;
  if (items.empty() || request_.guard.confirmed || orphans) return {};
  const std::string all = std::to_string(request_.inventory.size());
  const std::string count = std::to_string(items.size());
  if (request_.plan.objects.empty() && !remove) {
    return "the application's folder renders to nothing, so all " + all +
           " objects would be deleted";
  }
  for (const InventoryItem* item : items) {
    if (is_precious(item->key)) {
      return "would delete " + item->key.title() + " and all that is in it (" + count + " of " +
             all + " objects)";
    }
  }
  if (items.size() > request_.guard.max_objects)
    return "would delete " + count + " of " + all + " objects";
  // Whoever removes an application means all of it: the share says nothing there.
  const double most = request_.guard.max_share * static_cast<double>(request_.inventory.size());
  if (!remove && items.size() > kAlwaysAllowed && static_cast<double>(items.size()) > most) {
    return "would delete " + count + " of " + all + " objects";
  }
  return {};
}

Result<> Attempt::orphan(const std::vector<const InventoryItem*>& items) {
  std::vector<std::string> identities;
  for (const InventoryItem* item : items) identities.push_back(item->key.identity());
  return journal_.gone(identities);
}

Result<> Attempt::prune_wave(const std::vector<const InventoryItem*>& items) {
  std::vector<std::string> identities;
  for (const InventoryItem* item : items) identities.push_back(item->key.identity());
  FAILPOINT("apply.before_prune");
  TRY_DOING("write down what is about to be deleted", journal_.intend_prune(identities));

  std::vector<Result<bool>> answers(items.size());
  Result<> recorded;
  const auto remove = [&](std::size_t i) -> Result<bool> {
    FAILPOINT("apply.during_prune");
    return remove_one(*items[i]);
  };
  for_all(
      items.size(), request_.parallel_calls, [&](std::size_t i) { answers[i] = remove(i); },
      [&](const std::vector<std::size_t>& ended) {
        std::vector<std::string> gone;
        for (const std::size_t i : ended) {
          if (!answers[i]) {
            refusals_.push_back({nullptr, "delete " + items[i]->key.title(), answers[i].error()});
            continue;
          }
          if (*answers[i]) ++counts_.pruned;
          gone.push_back(identities[i]);
        }
        if (recorded && !gone.empty()) recorded = journal_.gone(gone);
        if (!recorded) hopeless_ = true;
        say("pruning");
      });
  TRY(std::move(recorded));
  const bool kinds_went = std::any_of(items.begin(), items.end(), [](const InventoryItem* item) {
    return is_definition(item->key);
  });
  if (kinds_went) cluster_.refresh_kinds();
  return first_refusal();
}

Result<> Attempt::prune() {
  const std::vector<const InventoryItem*> items = prunable();
  if (items.empty()) return {};
  TRY(before_call());
  if (request_.plan.remove_application && request_.plan.application.on_delete == OnDelete::orphan) {
    return orphan(items);
  }
  say("pruning");
  std::map<int, std::vector<const InventoryItem*>, std::greater<>>
      waves;  // last applied, first removed
  for (const InventoryItem* item : items) waves[item->wave].push_back(item);
  for (const auto& [number, wave] : waves) TRY(prune_wave(wave));
  FAILPOINT("apply.after_prune");
  return {};
}

}  // namespace plumb::apply
