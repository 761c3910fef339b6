#pragma once
/// The clusters of the server's file: connections, and the schema that pushes are judged by.
///
///   Schema   read in the background, kept on disk under <data>/schemas, so that a push can be
///            judged while its cluster is away; nullptr only if none was ever read
///   Threads  any
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apply/cluster.h"
#include "config/server_config.h"
#include "core/clock.h"
#include "plan/render.h"
#include "plan/validate.h"
#include "worker/frames.h"

namespace plumb::worker {

struct ClusterStatus {
  std::string name;
  bool reachable = false;
  std::string version;  ///< "v1.34.4"
  std::string uid;
  std::string message;            ///< why it is not reachable
  UnixMillis schema_read_at = 0;  ///< 0: never
};

class Clusters {
 public:
  /// Remembers which cluster a name stands for. conflict: it was another one; then nothing is sent
  /// there.
  using BindUid = std::function<Result<>(const std::string& cluster, const std::string& uid)>;

  /// Connects in the background: a cluster that is away does not keep plumbd from starting.
  static Result<std::unique_ptr<Clusters>> start(const config::ServerConfig& config,
                                                 const Clock& clock,
                                                 BindUid bind);
  ~Clusters();

  /// A view of the cluster whose calls carry the job's name in the API server's audit log. invalid:
  /// no such cluster in the server's file; unavailable: away, its kubeconfig cannot be used now, or
  /// another cluster stands behind its address.
  Result<std::shared_ptr<apply::Cluster>> cluster(const std::string& name, const JobOrder& order);

  [[nodiscard]] std::shared_ptr<const plan::ClusterSchema> schema(const std::string& name) const;
  [[nodiscard]] plan::IsNamespaced scope_of(const std::string& name) const;
  [[nodiscard]] std::vector<ClusterStatus> statuses() const;

  /// Read the schema of this cluster again soon: a CustomResourceDefinition was applied.
  void refresh_soon(const std::string& name);

 private:
  class Member;
  explicit Clusters(std::vector<std::unique_ptr<Member>> members);
  [[nodiscard]] Member* find(const std::string& name) const;
  std::vector<std::unique_ptr<Member>> members_;
};

}  // namespace plumb::worker
