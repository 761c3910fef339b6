#pragma once
/// The real Cluster: one API server over drivers/kube. Contract: apply/cluster.h.
#include <memory>
#include <string>
#include <utility>

#include "apply/cluster.h"
#include "drivers/kube/client.h"
#include "drivers/kube/kinds.h"

namespace plumb::apply {

/// A client and what it knows of its server's kinds: one per cluster, shared by all who work on it.
struct KubeLine {
  explicit KubeLine(std::unique_ptr<kube::Client> the_client)
      : client(std::move(the_client)), kinds(*client) {}
  std::unique_ptr<kube::Client> client;
  kube::Kinds kinds;
};

class KubeCluster final : public Cluster {
 public:
  explicit KubeCluster(std::unique_ptr<kube::Client> client);
  /// `user_agent`: what the API server's audit log says of our writes.
  explicit KubeCluster(std::shared_ptr<KubeLine> line, std::string user_agent = "plumbline");

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

  std::shared_ptr<KubeLine> line_;
  kube::Client* client_;  // of line_
  kube::Kinds& kinds_;    // of line_
  std::string user_agent_;
};

}  // namespace plumb::apply
