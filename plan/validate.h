#pragma once
/// Does an object fit the target cluster's schema? The aim is the API server's own answer to
/// server-side apply (policy reference 2). Offline: works on a cached snapshot of the OpenAPI v3
/// documents, so a push can be judged while the cluster is away.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/manifest.h"
#include "core/result.h"
#include "core/verdict.h"

namespace plumb::plan {

/// The compiled schema of one cluster. Immutable; share it between threads.
class ClusterSchema {
 public:
  /// `documents`: the JSON texts of /openapi/v3/apis/<group>/<version> and /openapi/v3/api/v1;
  /// `discovery`: the aggregated discovery documents of /api and /apis
  /// (`application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList`).
  static Result<std::shared_ptr<const ClusterSchema>> compile(
      const std::vector<std::string>& documents,
      const std::vector<std::string>& discovery,
      const std::string& version);
  /// This schema plus the kinds of CustomResourceDefinitions (canonical JSON) that come with a
  /// push.
  [[nodiscard]] std::shared_ptr<const ClusterSchema> with_crds(
      const std::vector<std::string>& crds) const;

  [[nodiscard]] bool has_kind(std::string_view api_version, std::string_view kind) const;
  /// nullopt: kind not known.
  [[nodiscard]] std::optional<bool> namespaced(std::string_view api_version,
                                               std::string_view kind) const;
  /// "deployments" for apps/v1 Deployment; nullopt: kind not known.
  [[nodiscard]] std::optional<std::string> plural(std::string_view api_version,
                                                  std::string_view kind) const;
  [[nodiscard]] const std::string& version() const;  ///< "1.34"

  /// Everything wrong with one object, at most 50. `field` is set, `place` and `application` are
  /// not.
  [[nodiscard]] std::vector<Verdict> judge(const Manifest& manifest) const;

  ~ClusterSchema();
  struct Impl;
  explicit ClusterSchema(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

/// Built-in kinds that need no schema to know their scope.
[[nodiscard]] std::optional<bool> builtin_namespaced(std::string_view api_version,
                                                     std::string_view kind);

}  // namespace plumb::plan
