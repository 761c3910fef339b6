#include <map>

#include "apply/applier.h"

namespace plumb::apply {

Preview preview(const Plan& plan,
                const std::vector<InventoryItem>& inventory,
                const std::set<std::string>& claimed_elsewhere) {
  std::map<std::string, const InventoryItem*> known;
  for (const InventoryItem& item : inventory) known.emplace(item.key.identity(), &item);
  Preview out;
  std::set<std::string> wanted;
  for (const Manifest& manifest : plan.objects) {
    const std::string identity = manifest.key.identity();
    wanted.insert(identity);
    const auto it = known.find(identity);
    // An intent that was never answered may or may not have made the object.
    if (it == known.end() || it->second->uid.empty())
      out.create.push_back(manifest.key);
    else if (it->second->state != InventoryItem::State::applied ||
             it->second->hash != manifest.hash ||
             it->second->key.api_version != manifest.key.api_version)
      out.change.push_back(manifest.key);
    else
      out.unchanged.push_back(manifest.key);
  }
  for (const InventoryItem& item : inventory) {
    const std::string identity = item.key.identity();
    if (wanted.contains(identity)) continue;
    if (claimed_elsewhere.contains(identity))
      out.handed_over.push_back(item.key);
    else if (plan.remove_application ? plan.application.on_delete == OnDelete::cascade
                                     : plan.application.prune)
      out.prune.push_back(item.key);
  }
  return out;
}

}  // namespace plumb::apply
