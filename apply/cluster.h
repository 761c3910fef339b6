#pragma once
/// One Kubernetes cluster as apply/ needs it: the real one (kube_cluster.h) or a fake for faults.
///
///   Errors   invalid: the server refuses the object (400, 404 kind, 422, and the 500 "failed to
///            create typed patch object" family: policy reference 0.2); denied: 401, 403;
///            conflict: 409; unavailable: no connection, 429, other 5xx, half a body, deadline
///   Messages are the server's, scrubbed of the object's secret values.
///   Threads  any
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/manifest.h"
#include "core/result.h"

namespace plumb::apply {

struct Live {
  std::string uid;
  std::string resource_version;
  std::string json;      ///< the whole object as the server answered; do not store or show
  std::string audit_id;  ///< the API server's Audit-Id header
  bool created = false;  ///< 201
};

class Cluster {
 public:
  virtual ~Cluster() = default;

  /// uid of the kube-system namespace: tells a cluster from another behind the same URL.
  virtual Result<std::string> uid() = 0;
  /// Server-side apply with field manager "plumbline", force. One call.
  virtual Result<Live> apply(const Manifest& manifest, std::chrono::milliseconds timeout) = 0;
  virtual Result<std::optional<Live>> get(const ObjectKey& key) = 0;  ///< nullopt: 404
  /// Deletes that very object, in the background way. A 404 or another uid counts as gone (true =
  /// deleted now).
  virtual Result<bool> remove(const ObjectKey& key, const std::string& uid) = 0;
  /// Calls `changed` with each state of each object, first the present one, until it returns true
  /// ("seen enough"), the stop token asks, or the deadline passes. Watches; never polls faster than
  /// every 5 s as a fall-back. An object that does not exist is reported with json "".
  virtual Result<> watch(
      const std::vector<ObjectKey>& keys,
      std::chrono::steady_clock::time_point deadline,
      std::stop_token stop,
      const std::function<bool(const ObjectKey&, const std::string& json)>& changed) = 0;
  /// Forget cached discovery: a CRD came or went.
  virtual void refresh_kinds() = 0;
};

}  // namespace plumb::apply
