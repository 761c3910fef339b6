#pragma once
/// The real Cluster: one API server over drivers/kube. Contract: apply/cluster.h.
#include <memory>

#include "apply/cluster.h"
#include "drivers/kube/client.h"
#include "drivers/kube/kinds.h"

namespace plumb::apply {

class KubeCluster final : public Cluster {
 public:
  explicit KubeCluster(std::unique_ptr<kube::Client> client);

  Result<std::string> uid() override;
  Result<Live> apply(const Manifest& manifest, std::chrono::milliseconds timeout) override;
  Result<std::optional<Live>> get(const ObjectKey& key) override;
  Result<bool> remove(const ObjectKey& key, const std::string& uid) override;
  Result<> watch(
      const std::vector<ObjectKey>& keys,
      std::chrono::steady_clock::time_point deadline,
      std::stop_token stop,
      const std::function<bool(const ObjectKey&, const std::string& json)>& changed) override;
  void refresh_kinds() override;

  /// For the schema snapshot (drivers/kube/schema_snapshot.h).
  [[nodiscard]] kube::Client& client() { return *client_; }

 private:
  /// Waits a little for a kind whose definition has just come. invalid: no such kind.
  Result<kube::Kind> resolve(const ObjectKey& key, std::chrono::steady_clock::time_point deadline);
  Result<kube::Response> patch(const Manifest& manifest,
                               const std::string& path,
                               std::chrono::steady_clock::time_point deadline);
  Result<Live> adopt(const Manifest& manifest,
                     const std::string& path,
                     const std::string& adoption,
                     Live live,
                     std::chrono::steady_clock::time_point deadline);

  std::unique_ptr<kube::Client> client_;
  kube::Kinds kinds_;
};

}  // namespace plumb::apply
