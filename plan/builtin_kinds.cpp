/// The kinds that every cluster has, by group and kind: what a render needs to know about scope
/// when no schema of the cluster was ever read. From the discovery documents of Kubernetes 1.34,
/// plus kinds that older or alpha versions serve.
#include <algorithm>
#include <array>

#include "plan/validate.h"

namespace plumb::plan {
namespace {

struct Builtin {
  std::string_view group;
  std::string_view kind;
  bool namespaced;

  [[nodiscard]] bool before(std::string_view other_group, std::string_view other_kind) const {
    return group != other_group ? group < other_group : kind < other_kind;
  }
};

// clang-format off
constexpr std::array<Builtin, 79> kBuiltins{{  // sorted
    {"", "Binding", true},
    {"", "ComponentStatus", false},
    {"", "ConfigMap", true},
    {"", "Endpoints", true},
    {"", "Event", true},
    {"", "LimitRange", true},
    {"", "Namespace", false},
    {"", "Node", false},
    {"", "PersistentVolume", false},
    {"", "PersistentVolumeClaim", true},
    {"", "Pod", true},
    {"", "PodTemplate", true},
    {"", "ReplicationController", true},
    {"", "ResourceQuota", true},
    {"", "Secret", true},
    {"", "Service", true},
    {"", "ServiceAccount", true},
    {"admissionregistration.k8s.io", "MutatingAdmissionPolicy", false},
    {"admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding", false},
    {"admissionregistration.k8s.io", "MutatingWebhookConfiguration", false},
    {"admissionregistration.k8s.io", "ValidatingAdmissionPolicy", false},
    {"admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding", false},
    {"admissionregistration.k8s.io", "ValidatingWebhookConfiguration", false},
    {"apiextensions.k8s.io", "CustomResourceDefinition", false},
    {"apiregistration.k8s.io", "APIService", false},
    {"apps", "ControllerRevision", true},
    {"apps", "DaemonSet", true},
    {"apps", "Deployment", true},
    {"apps", "ReplicaSet", true},
    {"apps", "StatefulSet", true},
    {"authentication.k8s.io", "SelfSubjectReview", false},
    {"authentication.k8s.io", "TokenReview", false},
    {"authorization.k8s.io", "LocalSubjectAccessReview", true},
    {"authorization.k8s.io", "SelfSubjectAccessReview", false},
    {"authorization.k8s.io", "SelfSubjectRulesReview", false},
    {"authorization.k8s.io", "SubjectAccessReview", false},
    {"autoscaling", "HorizontalPodAutoscaler", true},
    {"batch", "CronJob", true},
    {"batch", "Job", true},
    {"certificates.k8s.io", "CertificateSigningRequest", false},
    {"certificates.k8s.io", "ClusterTrustBundle", false},
    {"coordination.k8s.io", "Lease", true},
    {"coordination.k8s.io", "LeaseCandidate", true},
    {"discovery.k8s.io", "EndpointSlice", true},
    {"events.k8s.io", "Event", true},
    {"extensions", "DaemonSet", true},
    {"extensions", "Deployment", true},
    {"extensions", "Ingress", true},
    {"extensions", "NetworkPolicy", true},
    {"extensions", "ReplicaSet", true},
    {"flowcontrol.apiserver.k8s.io", "FlowSchema", false},
    {"flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", false},
    {"internal.apiserver.k8s.io", "StorageVersion", false},
    {"networking.k8s.io", "IPAddress", false},
    {"networking.k8s.io", "Ingress", true},
    {"networking.k8s.io", "IngressClass", false},
    {"networking.k8s.io", "NetworkPolicy", true},
    {"networking.k8s.io", "ServiceCIDR", false},
    {"node.k8s.io", "RuntimeClass", false},
    {"policy", "PodDisruptionBudget", true},
    {"policy", "PodSecurityPolicy", false},
    {"rbac.authorization.k8s.io", "ClusterRole", false},
    {"rbac.authorization.k8s.io", "ClusterRoleBinding", false},
    {"rbac.authorization.k8s.io", "Role", true},
    {"rbac.authorization.k8s.io", "RoleBinding", true},
    {"resource.k8s.io", "DeviceClass", false},
    {"resource.k8s.io", "DeviceTaintRule", false},
    {"resource.k8s.io", "ResourceClaim", true},
    {"resource.k8s.io", "ResourceClaimTemplate", true},
    {"resource.k8s.io", "ResourceSlice", false},
    {"scheduling.k8s.io", "PriorityClass", false},
    {"scheduling.k8s.io", "Workload", true},
    {"storage.k8s.io", "CSIDriver", false},
    {"storage.k8s.io", "CSINode", false},
    {"storage.k8s.io", "CSIStorageCapacity", true},
    {"storage.k8s.io", "StorageClass", false},
    {"storage.k8s.io", "VolumeAttachment", false},
    {"storage.k8s.io", "VolumeAttributesClass", false},
    {"storagemigration.k8s.io", "StorageVersionMigration", false},
}};
// clang-format on

}  // namespace

std::optional<bool> builtin_namespaced(std::string_view api_version, std::string_view kind) {
  const std::size_t slash = api_version.find('/');
  const std::string_view group = slash == api_version.npos ? "" : api_version.substr(0, slash);
  const auto found = std::lower_bound(
      kBuiltins.begin(), kBuiltins.end(), kind,
      [&](const Builtin& row, std::string_view wanted) { return row.before(group, wanted); });
  if (found == kBuiltins.end() || found->group != group || found->kind != kind) return std::nullopt;
  return found->namespaced;
}

}  // namespace plumb::plan
