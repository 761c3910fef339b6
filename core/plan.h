#pragma once
/// What will be applied: rendered objects and what they replace. Immutable once it has a digest.
#include <string>
#include <vector>

#include "core/application.h"
#include "core/manifest.h"

namespace plumb {

struct Plan {
  std::string digest;  ///< plan_digest(): hex SHA-256; approvals and jobs bind to it
  Application application;
  std::string commit;               ///< informative: the digest does not depend on it
  std::vector<Manifest> objects;    ///< sorted by identity
  bool remove_application = false;  ///< the application left Git: objects is empty, all is pruned
};

}  // namespace plumb
