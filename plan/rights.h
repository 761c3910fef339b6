#pragma once
/// What a repository may touch: the clusters, namespaces and kinds that the server's file gives it
/// (design 8a). A push cannot widen them. Pure. Private to plan/.
#include <string>
#include <vector>

#include "config/documents.h"
#include "config/server_config.h"
#include "core/manifest.h"
#include "core/verdict.h"

namespace plumb::plan {

/// Judges where an application wants to go.
[[nodiscard]] std::vector<Verdict> judge_target(const Application& application,
                                                const config::TargetPlaces& places,
                                                const config::RepositoryBinding& repository);

/// Judges what it rendered to: kinds, and the namespaces that objects name themselves.
[[nodiscard]] std::vector<Verdict> judge_objects(const Application& application,
                                                 const std::vector<Manifest>& objects,
                                                 const config::RepositoryBinding& repository);

}  // namespace plumb::plan
