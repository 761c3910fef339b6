#include "worker/judge.h"

#include <algorithm>

#include "drivers/crypto/crypto.h"

namespace plumb::worker {
namespace {
constexpr std::size_t kMaxHashes = 200'000;
constexpr std::size_t kMaxOverlays = 8;
}  // namespace

std::vector<Verdict> Judge::judge(const std::vector<Manifest>& objects,
                                  const std::string& application,
                                  const std::shared_ptr<const plan::ClusterSchema>& schema) {
  std::vector<Verdict> verdicts;
  for (const Manifest& object : objects) {
    const bool known = clean_.with([&](std::vector<Clean>& sets) {
      std::erase_if(sets, [](const Clean& set) { return set.schema.expired(); });
      return std::any_of(sets.begin(), sets.end(), [&](const Clean& set) {
        return set.schema.lock() == schema && set.hashes.contains(object.hash);
      });
    });
    if (known) continue;
    auto found = schema->judge(object);
    if (found.empty()) {
      clean_.with([&](std::vector<Clean>& sets) {
        auto mine = std::find_if(sets.begin(), sets.end(),
                                 [&](const Clean& set) { return set.schema.lock() == schema; });
        if (mine == sets.end()) mine = sets.insert(sets.end(), Clean{schema, {}});
        if (mine->hashes.size() >= kMaxHashes) mine->hashes.clear();
        mine->hashes.emplace(object.hash, true);
      });
    }
    for (Verdict& verdict : found) {
      verdict.application = application;
      if (verdict.object.empty()) verdict.object = object.key.title();
      if (verdict.place.file.empty()) verdict.place = object.place;
      verdicts.push_back(std::move(verdict));
    }
  }
  return verdicts;
}

std::shared_ptr<const plan::ClusterSchema> Judge::overlaid(
    const std::shared_ptr<const plan::ClusterSchema>& schema,
    const std::vector<std::string>& definitions) {
  if (definitions.empty()) return schema;
  std::string all;
  for (const std::string& definition : definitions) all += crypto::sha256(definition);
  const std::string hash = crypto::sha256(all);
  return overlays_.with([&](std::vector<Overlay>& overlays) {
    std::erase_if(overlays, [](const Overlay& overlay) { return overlay.base.expired(); });
    for (const Overlay& overlay : overlays) {
      if (overlay.base.lock() == schema && overlay.hash == hash) return overlay.made;
    }
    overlays.push_back({schema, hash, schema->with_crds(definitions)});
    if (overlays.size() > kMaxOverlays) overlays.erase(overlays.begin());
    return overlays.back().made;
  });
}

}  // namespace plumb::worker
