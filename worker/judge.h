#pragma once
/// Judges rendered objects against the schema of their cluster.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/guarded.h"
#include "core/manifest.h"
#include "core/verdict.h"
#include "plan/validate.h"

namespace plumb::worker {

/// Remembers clean objects by (content hash, schema), so that an unchanged object costs a look-up.
/// Any thread.
class Judge {
 public:
  [[nodiscard]] std::vector<Verdict> judge(
      const std::vector<Manifest>& objects,
      const std::string& application,
      const std::shared_ptr<const plan::ClusterSchema>& schema);

  /// `schema` with `definitions` (CustomResourceDefinitions, canonical JSON) laid over it. The same
  /// question gets the same pointer, so that what is known to be clean stays known.
  [[nodiscard]] std::shared_ptr<const plan::ClusterSchema> overlaid(
      const std::shared_ptr<const plan::ClusterSchema>& schema,
      const std::vector<std::string>& definitions);

 private:
  /// Keyed by schema: a new snapshot starts afresh and the old one's set goes with it.
  struct Clean {
    std::weak_ptr<const plan::ClusterSchema> schema;
    std::map<std::string, bool> hashes;
  };
  struct Overlay {
    std::weak_ptr<const plan::ClusterSchema> base;
    std::string hash;  ///< of the definitions
    std::shared_ptr<const plan::ClusterSchema> made;
  };
  Guarded<std::vector<Clean>> clean_;
  Guarded<std::vector<Overlay>> overlays_;  // newest last, bounded
};

}  // namespace plumb::worker
