#pragma once
/// Which kinds the server has, and under which address: aggregated discovery, cached.
///
///   Threads  any; one reads discovery at a time, the others wait for it
///   Errors   as Client; invalid: the server has no such kind, or is older than Kubernetes 1.27
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/guarded.h"
#include "core/manifest.h"
#include "core/result.h"
#include "drivers/kube/client.h"

namespace plumb::kube {

struct Kind {
  std::string api_version;  ///< "apps/v1"
  std::string name;         ///< "Deployment"
  std::string plural;       ///< "deployments"
  bool namespaced = false;
};

/// "apps/v1/Deployment" → Kind
using KindMap = std::map<std::string, Kind, std::less<>>;

/// The two documents of aggregated discovery, of /api and of /apis.
struct Discovery {
  std::string core;
  std::string groups;
};
[[nodiscard]] Result<Discovery> fetch_discovery(Client& client);
[[nodiscard]] Result<KindMap> parse_discovery(const Discovery& discovery);

class Kinds {
 public:
  explicit Kinds(Client& client) : client_(client) {}

  /// nullopt: the server has no such kind. An unknown kind makes us look again, at most once per
  /// `kRefreshEvery`; after forget() at every call until it is found.
  Result<std::optional<Kind>> find(std::string_view api_version, std::string_view kind);
  /// The next look-up reads discovery again: a CustomResourceDefinition came or went.
  void forget();
  /// True within ten seconds of forget(): a missing kind may still be on its way.
  [[nodiscard]] bool settling() const;

 private:
  struct State {
    std::shared_ptr<const KindMap> kinds;
    std::chrono::steady_clock::time_point read_at{};
    std::chrono::steady_clock::time_point forgotten_at{};
    bool stale = true;
  };
  Result<> refresh(State& state);

  Client& client_;
  Guarded<State> state_;
};

/// "/apis/apps/v1/namespaces/shop/deployments/web"; without `name` the collection. invalid: a
/// namespaced kind and no namespace.
[[nodiscard]] Result<std::string> path_of(const Kind& kind,
                                          const std::string& ns,
                                          const std::string& name);

}  // namespace plumb::kube
