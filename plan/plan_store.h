#pragma once
/// Rendered objects by content hash and plans by digest. Tainted objects are stored only sealed
/// under their project's key. Blobs are zstd-compressed.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/closure.h"
#include "core/plan.h"
#include "drivers/sqlite/store.h"
#include "plan/render.h"

namespace plumb::plan {

[[nodiscard]] sqlite::Component schema();

/// Stores the plan and the blobs it lacks. A known digest costs reading its blobs: a damaged one is
/// written anew, so that a plan which load_plan cannot read is mended by rendering it again.
Result<> save_plan(sqlite::Transaction& tx,
                   const Plan& plan,
                   const ProjectKey& key,
                   UnixMillis now);
/// With its objects. invalid: no such plan (or swept); conflict: stored, but damaged.
Result<Plan> load_plan(sqlite::Connection& db, const std::string& digest, const ProjectKey& key);

/// The render cache: what an application rendered to, and from which closure.
struct CachedRender {
  std::string plan_digest;
  Closure closure;
};
Result<> remember_render(sqlite::Transaction& tx,
                         const AppId& app,
                         const std::string& parameters_hash,
                         const CachedRender& render,
                         UnixMillis now);
/// Newest first, at most `limit`.
Result<std::vector<CachedRender>> remembered(sqlite::Connection& db,
                                             const AppId& app,
                                             const std::string& parameters_hash,
                                             int limit);

/// Deletes plans that nothing in `keep` names and that are older than `before`, then blobs without
/// a plan.
Result<int> sweep_plans(sqlite::Transaction& tx,
                        const std::vector<std::string>& keep,
                        UnixMillis before,
                        int limit);

}  // namespace plumb::plan
