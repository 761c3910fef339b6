#pragma once
/// The key of each project: seals rendered Secrets at rest and keys their hashes. Files of 32
/// random bytes under <data>/keys, mode 0600, made on first use, outside the database.
#include <map>
#include <memory>
#include <string>

#include "core/guarded.h"
#include "plan/render.h"

namespace plumb::worker {

class Keys {
 public:
  explicit Keys(std::string folder) : folder_(std::move(folder)) {}
  /// Reads or makes the keys of these projects, so that key_of cannot fail later.
  Result<> open(const std::vector<std::string>& projects);
  /// Only for opened projects.
  [[nodiscard]] const plan::ProjectKey& key_of(const std::string& project) const;

 private:
  std::string folder_;
  std::map<std::string, plan::ProjectKey> keys_;  // constant after open()
};

}  // namespace plumb::worker
