#include "apply/health.h"

#include <algorithm>
#include <array>
#include <optional>

#include <nlohmann/json.hpp>

#include "apply/health_rules.h"
#include "core/text.h"
#include "drivers/json/json.h"

namespace plumb::apply {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxReason = 300;

HealthReport healthy(std::string message = "ready") {
  return {Health::healthy, std::move(message)};
}
HealthReport progressing(std::string message) {
  return {Health::progressing, std::move(message)};
}
HealthReport failed(std::string message) {
  return {Health::failed, std::move(message)};
}

const json& at(const json& object, const char* key) {
  static const json kNothing;
  if (!object.is_object()) return kNothing;
  const auto it = object.find(key);
  return it == object.end() ? kNothing : *it;
}

std::string text(const json& object, const char* key) {
  const json& value = at(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::int64_t number(const json& object, const char* key, std::int64_t otherwise = 0) {
  const json& value = at(object, key);
  return value.is_number_integer() ? value.get<std::int64_t>() : otherwise;
}

/// One entry of status.conditions.
struct Condition {
  std::string status;
  std::string reason;
  std::string message;

  [[nodiscard]] bool is_true() const { return status == "True"; }
  [[nodiscard]] bool is_false() const { return status == "False"; }
  [[nodiscard]] std::string why() const {
    std::string out = reason;
    if (!message.empty()) out += (out.empty() ? "" : ": ") + message;
    return printable(out, kMaxReason);
  }
};

/// The condition, or one with an empty status when there is none.
Condition condition(const json& object, std::string_view type) {
  const json& all = at(at(object, "status"), "conditions");
  if (!all.is_array()) return {};
  for (const json& one : all) {
    if (text(one, "type") == type)
      return {text(one, "status"), text(one, "reason"), text(one, "message")};
  }
  return {};
}

std::string count_of(std::int64_t have, std::int64_t want, const char* what) {
  return std::to_string(have) + " of " + std::to_string(want) + " " + what;
}

HealthReport deployment(const json& object) {
  const json& spec = at(object, "spec");
  const json& status = at(object, "status");
  const std::int64_t want = number(spec, "replicas", 1);
  const std::int64_t exist = number(status, "replicas");
  const std::int64_t updated = number(status, "updatedReplicas");
  const std::int64_t ready = number(status, "readyReplicas");
  const std::int64_t available = number(status, "availableReplicas");
  const Condition progress = condition(object, "Progressing");
  if (progress.reason == "ProgressDeadlineExceeded")
    return failed("no progress in time: " + progress.why());
  const Condition failure = condition(object, "ReplicaFailure");
  const std::string because = failure.is_true() ? " (" + failure.why() + ")" : "";
  if (want > exist) return progressing(count_of(exist, want, "replicas exist") + because);
  if (want > updated) return progressing(count_of(updated, want, "replicas are updated") + because);
  if (exist > want)
    return progressing(count_of(exist - want, exist, "replicas are old and still there"));
  if (updated > available)
    return progressing(count_of(available, updated, "replicas are available"));
  if (want > ready) return progressing(count_of(ready, want, "replicas are ready"));
  if (at(spec, "progressDeadlineSeconds").is_number() &&
      !(progress.is_true() && progress.reason == "NewReplicaSetAvailable")) {
    return progressing("the new replicas are not all available yet");
  }
  const Condition is_available = condition(object, "Available");
  if (!is_available.is_true()) return progressing("not available yet: " + is_available.why());
  return healthy(count_of(ready, want, "replicas are ready"));
}

HealthReport stateful_set(const json& object) {
  const json& spec = at(object, "spec");
  const json& status = at(object, "status");
  if (text(at(spec, "updateStrategy"), "type") == "OnDelete") {
    return healthy("pods are replaced when somebody deletes them");
  }
  const std::int64_t want = number(spec, "replicas", 1);
  const std::int64_t exist = number(status, "replicas");
  const std::int64_t ready = number(status, "readyReplicas");
  const std::int64_t current = number(status, "currentReplicas");
  const std::int64_t updated = number(status, "updatedReplicas");
  if (want > exist) return progressing(count_of(exist, want, "replicas exist"));
  if (want > ready) return progressing(count_of(ready, want, "replicas are ready"));
  if (exist > want) return progressing(count_of(exist - want, exist, "replicas are too many"));
  const json& partition = at(at(at(spec, "updateStrategy"), "rollingUpdate"), "partition");
  if (partition.is_number_integer() && partition.get<std::int64_t>() != 0) {
    const std::int64_t share = want - partition.get<std::int64_t>();
    if (updated < share) return progressing(count_of(updated, share, "replicas are updated"));
    return healthy(count_of(updated, share, "replicas of the partition are updated"));
  }
  if (want > current) return progressing(count_of(current, want, "replicas are current"));
  if (text(status, "currentRevision") != text(status, "updateRevision")) {
    return progressing(count_of(updated, want, "replicas are updated"));
  }
  return healthy(count_of(ready, want, "replicas are ready"));
}

HealthReport daemon_set(const json& object) {
  const json& status = at(object, "status");
  if (!at(status, "observedGeneration").is_number() ||
      !at(status, "desiredNumberScheduled").is_number()) {
    return progressing("the controller has not seen it yet");
  }
  const std::int64_t want = number(status, "desiredNumberScheduled");
  const std::int64_t current = number(status, "currentNumberScheduled");
  const std::int64_t updated = number(status, "updatedNumberScheduled");
  const std::int64_t available = number(status, "numberAvailable");
  const std::int64_t ready = number(status, "numberReady");
  if (want > current) return progressing(count_of(current, want, "pods are scheduled"));
  const bool on_delete = text(at(at(object, "spec"), "updateStrategy"), "type") == "OnDelete";
  if (want > updated && !on_delete) return progressing(count_of(updated, want, "pods are updated"));
  if (want > available) return progressing(count_of(available, want, "pods are available"));
  if (want > ready) return progressing(count_of(ready, want, "pods are ready"));
  return healthy(count_of(ready, want, "pods are ready"));
}

HealthReport replica_set(const json& object) {
  const json& status = at(object, "status");
  const std::int64_t want = number(at(object, "spec"), "replicas", 1);
  const std::int64_t exist = number(status, "replicas");
  const std::int64_t labelled = number(status, "fullyLabeledReplicas");
  const std::int64_t available = number(status, "availableReplicas");
  const std::int64_t ready = number(status, "readyReplicas");
  const Condition failure = condition(object, "ReplicaFailure");
  if (failure.is_true()) return progressing("no new replicas: " + failure.why());
  if (want > labelled) return progressing(count_of(labelled, want, "replicas exist"));
  if (want > available) return progressing(count_of(available, want, "replicas are available"));
  if (want > ready) return progressing(count_of(ready, want, "replicas are ready"));
  if (exist > want) return progressing(count_of(exist - want, exist, "replicas are too many"));
  return healthy(count_of(ready, want, "replicas are ready"));
}

/// "ImagePullBackOff: …" of the first container that waits for a reason; "" if none does.
std::string waiting_reason(const json& status, std::string_view reason_wanted) {
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    const json& containers = at(status, list);
    if (!containers.is_array()) continue;
    for (const json& container : containers) {
      const json& waiting = at(at(container, "state"), "waiting");
      const std::string reason = text(waiting, "reason");
      if (reason.empty() || (!reason_wanted.empty() && reason != reason_wanted)) continue;
      const std::string message = text(waiting, "message");
      return printable(
          text(container, "name") + ": " + reason + (message.empty() ? "" : ": " + message),
          kMaxReason);
    }
  }
  return {};
}

HealthReport pod(const json& object) {
  const json& status = at(object, "status");
  const std::string phase = text(status, "phase");
  if (phase == "Succeeded") return healthy("completed");
  if (phase == "Failed") {
    const std::string why = text(status, "message");
    return failed("the pod failed" + (why.empty() ? "" : ": " + printable(why, kMaxReason)));
  }
  if (condition(object, "Ready").is_true()) return healthy();
  const std::string crash = waiting_reason(status, "CrashLoopBackOff");
  if (!crash.empty()) return failed(crash);
  const Condition scheduled = condition(object, "PodScheduled");
  if (scheduled.is_false()) return progressing("not scheduled: " + scheduled.why());
  const std::string waiting = waiting_reason(status, {});
  return progressing(waiting.empty() ? "the pod is not ready yet" : waiting);
}

HealthReport job(const json& object) {
  const json& status = at(object, "status");
  const Condition broken = condition(object, "Failed");
  if (broken.is_true()) return failed("the job failed: " + broken.why());
  if (condition(object, "Complete").is_true()) return healthy("completed");
  if (condition(object, "Suspended").is_true() || at(at(object, "spec"), "suspend") == true) {
    return healthy("suspended");
  }
  if (!at(status, "startTime").is_string()) return progressing("the job has not started");
  const std::int64_t want = number(at(object, "spec"), "completions", 1);
  return progressing(count_of(number(status, "succeeded"), want, "pods have completed"));
}

HealthReport volume_claim(const json& object) {
  const std::string phase = text(at(object, "status"), "phase");
  if (phase == "Bound") return healthy("bound");
  if (phase == "Lost") return failed("its volume is lost");
  return progressing("waits for a volume");
}

HealthReport service(const json& object) {
  const json& spec = at(object, "spec");
  if (text(spec, "type") != "LoadBalancer") return healthy();
  if (text(spec, "clusterIP").empty()) return progressing("waits for a cluster address");
  return healthy();
}

HealthReport crd(const json& object) {
  const Condition names = condition(object, "NamesAccepted");
  if (names.is_false()) return failed("its names are taken: " + names.why());
  const Condition established = condition(object, "Established");
  if (established.is_true()) return healthy("established");
  if (established.is_false() && established.reason != "Installing") {
    return failed("not established: " + established.why());
  }
  return progressing("not established yet");
}

HealthReport by_conditions(const json& object) {
  const Condition ready = condition(object, "Ready");
  if (ready.status.empty() || ready.is_true()) return healthy();
  return progressing("not ready: " + ready.why());
}

/// What holds for every kind; nullopt: ask the kind's own rule.
std::optional<HealthReport> generic(const json& object) {
  const json& metadata = at(object, "metadata");
  const json& status = at(object, "status");
  if (!at(metadata, "deletionTimestamp").is_null()) return progressing("is being deleted");
  const json& observed = at(status, "observedGeneration");
  const json& generation = at(metadata, "generation");
  if (observed.is_number() && generation.is_number() && observed != generation) {
    return progressing("the controller has not seen the newest version yet");
  }
  const Condition reconciling = condition(object, "Reconciling");
  if (reconciling.is_true()) return progressing("is being worked on: " + reconciling.why());
  const Condition stalled = condition(object, "Stalled");
  if (stalled.is_true()) return failed("stalled: " + stalled.why());
  return std::nullopt;
}

using Rule = HealthReport (*)(const json&);
struct KindRule {
  std::string_view group;
  std::string_view kind;
  Rule rule;  // null: well as soon as it exists
};

constexpr std::array kRules = {
    KindRule{"apps", "Deployment", deployment},
    KindRule{"apps", "StatefulSet", stateful_set},
    KindRule{"apps", "DaemonSet", daemon_set},
    KindRule{"apps", "ReplicaSet", replica_set},
    KindRule{"", "Pod", pod},
    KindRule{"batch", "Job", job},
    KindRule{"", "PersistentVolumeClaim", volume_claim},
    KindRule{"", "Service", service},
    KindRule{"apiextensions.k8s.io", "CustomResourceDefinition", crd},
    KindRule{"batch", "CronJob", nullptr},
    KindRule{"policy", "PodDisruptionBudget", nullptr},
    KindRule{"autoscaling", "HorizontalPodAutoscaler", nullptr},
    KindRule{"", "ConfigMap", nullptr},
    KindRule{"", "Secret", nullptr},
    KindRule{"", "ServiceAccount", nullptr},
    KindRule{"", "Namespace", nullptr},
    KindRule{"", "LimitRange", nullptr},
    KindRule{"", "ResourceQuota", nullptr},
    KindRule{"", "Endpoints", nullptr},
    KindRule{"networking.k8s.io", "Ingress", nullptr},
    KindRule{"networking.k8s.io", "IngressClass", nullptr},
    KindRule{"networking.k8s.io", "NetworkPolicy", nullptr},
    KindRule{"rbac.authorization.k8s.io", "Role", nullptr},
    KindRule{"rbac.authorization.k8s.io", "RoleBinding", nullptr},
    KindRule{"rbac.authorization.k8s.io", "ClusterRole", nullptr},
    KindRule{"rbac.authorization.k8s.io", "ClusterRoleBinding", nullptr},
    KindRule{"scheduling.k8s.io", "PriorityClass", nullptr},
    KindRule{"storage.k8s.io", "StorageClass", nullptr},
    KindRule{"admissionregistration.k8s.io", "MutatingWebhookConfiguration", nullptr},
    KindRule{"admissionregistration.k8s.io", "ValidatingWebhookConfiguration", nullptr},
};

const KindRule* rule_of(std::string_view group, std::string_view kind) {
  const auto* it = std::find_if(kRules.begin(), kRules.end(), [&](const KindRule& rule) {
    return rule.group == group && rule.kind == kind;
  });
  return it == kRules.end() ? nullptr : it;
}

}  // namespace

std::string_view to_string(Health health) noexcept {
  switch (health) {
    case Health::healthy: return "healthy";
    case Health::progressing: return "progressing";
    case Health::failed: return "failed";
    case Health::missing: return "missing";
  }
  return "missing";
}

bool has_health_rule(const ObjectKey& key) {
  const KindRule* found = rule_of(key.group(), key.kind);
  return found == nullptr || found->rule != nullptr;
}

HealthReport assess(std::string_view live_json) {
  if (live_json.empty()) return {Health::missing, "does not exist"};
  plumb::json::Limits limits;
  limits.max_depth = 200;  // an API server's own answer, not a push
  const auto object = plumb::json::parse(live_json, limits);
  if (!object || !object->is_object()) return progressing("its state cannot be read");
  if (auto report = generic(*object)) return *std::move(report);
  const std::string api_version = text(*object, "apiVersion");
  const ObjectKey key{api_version, text(*object, "kind"), {}, {}};
  const KindRule* found = rule_of(key.group(), key.kind);
  if (found == nullptr) return by_conditions(*object);
  return found->rule == nullptr ? healthy() : found->rule(*object);
}

}  // namespace plumb::apply
