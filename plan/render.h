#pragma once
/// One application → its objects, as a pure function of a Git tree.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/application.h"
#include "core/closure.h"
#include "core/manifest.h"
#include "core/plan.h"
#include "core/verdict.h"
#include "plan/engine_pool.h"
#include "plan/tree_source.h"

namespace plumb::plan {

/// Hashes and seals what holds secret values. One per project; the key never reaches the database.
class ProjectKey {
 public:
  explicit ProjectKey(std::string key_32_bytes) : key_(std::move(key_32_bytes)) {}
  [[nodiscard]] const std::string& bytes() const { return key_; }

 private:
  std::string key_;
};

struct Rendered {
  std::vector<Manifest>
      objects;  ///< sorted by identity, namespace filled in where the kind has one
  Closure closure;
  std::vector<Verdict>
      verdicts;  ///< structure only: YAML, missing kind, duplicate objects, render errors
  std::set<std::string> guessed;  ///< "group/Kind" whose scope nobody knew: taken as namespaced
  /// Field-level marks are not kept: `locate` in plan/locate.h reads the file again when needed.
};

/// Scope of a kind: from the cluster's schema, the table of built-in kinds, or definitions that
/// were planned. nullopt: not known.
using IsNamespaced =
    std::function<std::optional<bool>(std::string_view api_version, std::string_view kind)>;

/// "group/Kind", as in a map of scopes.
[[nodiscard]] std::string scope_name(std::string_view api_version, std::string_view kind);

/// What a CustomResourceDefinition says of its kind; nullopt: the object is none.
struct DefinedScope {
  std::string name;  ///< scope_name()
  bool namespaced = true;
};
[[nodiscard]] std::optional<DefinedScope> defined_scope(const Manifest& object);

/// Renders. Content errors come back as verdicts (so that one push shows them all); a Result error
/// means that the render could not run (unavailable, fault). Secrets are tainted; `List` is
/// flattened.
Result<Rendered> render(const Application& application,
                        TreeSource& source,
                        EnginePool& engines,
                        const ProjectKey& key,
                        const IsNamespaced& is_namespaced);

/// hex SHA-256 over the application's id (so its cluster too), its namespace and the sorted
/// (identity, hash) pairs. Not over the commit. No objects: the application is removed (an empty
/// render is refused).
[[nodiscard]] std::string plan_digest(const Application& application,
                                      const std::vector<Manifest>& objects);

/// The hash of a manifest's canonical bytes: SHA-256, or HMAC under the project's key when tainted.
[[nodiscard]] std::string content_hash(std::string_view canonical_json,
                                       bool tainted,
                                       const ProjectKey& key);

}  // namespace plumb::plan
