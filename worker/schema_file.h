#pragma once
/// A cluster's schema snapshot on disk (zstd over one JSON document, format 1), so that pushes are
/// judged while the cluster is away, also after a restart.
#include <memory>
#include <optional>
#include <string>

#include "core/clock.h"
#include "drivers/kube/schema_snapshot.h"

namespace plumb::worker {

struct KeptSnapshot {
  std::shared_ptr<const kube::SchemaSnapshot> snapshot;
  UnixMillis read_at = 0;
};

/// nullopt: none, or not readable any more (it is read from the cluster again).
[[nodiscard]] std::optional<KeptSnapshot> load_snapshot(const std::string& path);
/// Written beside and renamed: a crash leaves the old one.
Result<> save_snapshot(const std::string& path,
                       const kube::SchemaSnapshot& snapshot,
                       UnixMillis read_at);

}  // namespace plumb::worker
