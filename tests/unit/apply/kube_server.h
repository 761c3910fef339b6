#pragma once
/// What a FaultServer needs to pass for an API server: two kinds by discovery.
#include "apply/kube_cluster.h"
#include "tests/support/fault_server.h"
#include "tests/unit/apply/fakes.h"

namespace plumb::test {

inline std::optional<FaultServer::Answer> discovery(const std::string& request) {
  const auto resource = [](const std::string& plural, const std::string& kind) {
    return Json{{"resource", plural},
                {"responseKind", {{"group", ""}, {"version", "v1"}, {"kind", kind}}},
                {"scope", kind == "Namespace" ? "Cluster" : "Namespaced"},
                {"verbs", {"get", "patch", "delete", "list", "watch"}}};
  };
  Json items = Json::array();
  if (request.starts_with("GET /api HTTP")) {
    Json resources = Json::array();
    resources.push_back(resource("configmaps", "ConfigMap"));
    resources.push_back(resource("secrets", "Secret"));
    resources.push_back(resource("pods", "Pod"));
    resources.push_back(resource("namespaces", "Namespace"));
    Json versions = Json::array();
    versions.push_back({{"version", "v1"}, {"resources", resources}});
    items.push_back({{"metadata", Json::object()}, {"versions", versions}});
  } else if (!request.starts_with("GET /apis HTTP")) {
    return std::nullopt;
  }
  return FaultServer::Answer{FaultServer::http(
      "200 OK", Json{{"kind", "APIGroupDiscoveryList"}, {"items", items}}.dump())};
}

inline std::unique_ptr<apply::KubeCluster> cluster_of(const FaultServer& server) {
  kube::Access access;
  access.server = server.url();
  access.origin = "a test";
  access.token = "sesame";
  return std::make_unique<apply::KubeCluster>(must(kube::Client::open(access)));
}

}  // namespace plumb::test
