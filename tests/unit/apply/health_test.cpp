#include "apply/health.h"

#include "apply/health_rules.h"
#include "tests/unit/apply/fakes.h"

using namespace plumb;
using namespace plumb::test;
using apply::Health;

namespace {

struct Case {
  const char* what;
  const char* object;  ///< without apiVersion and kind
  Health health;
  const char* message;
};

void check_all(const std::string& api_version,
               const std::string& kind,
               const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    CAPTURE(kind, one.what);
    Json object = must(plumb::json::parse(one.object));
    object["apiVersion"] = api_version;
    object["kind"] = kind;
    const auto report = apply::assess(object.dump());
    CHECK(apply::to_string(report.health) == apply::to_string(one.health));
    CHECK(report.message == one.message);
  }
}

constexpr auto kGood = Health::healthy;
constexpr auto kGoing = Health::progressing;
constexpr auto kBad = Health::failed;

}  // namespace

TEST_CASE("what holds for every kind", "[health]") {
  CHECK(apply::assess("").health == Health::missing);
  CHECK(apply::assess("{").health == Health::progressing);
  check_all(
      "example.org/v1", "Widget",
      {{"no status", R"({})", kGood, "ready"},
       {"ready", R"({"status":{"conditions":[{"type":"Ready","status":"True"}]}})", kGood, "ready"},
       {"not ready",
        R"({"status":{"conditions":[{"type":"Ready","status":"False","reason":"Waiting","message":"for a disk"}]}})",
        kGoing, "not ready: Waiting: for a disk"},
       {"unknown", R"({"status":{"conditions":[{"type":"Ready","status":"Unknown"}]}})", kGoing,
        "not ready: "},
       {"reconciling",
        R"({"status":{"conditions":[{"type":"Reconciling","status":"True","reason":"Busy"},{"type":"Ready","status":"True"}]}})",
        kGoing, "is being worked on: Busy"},
       {"stalled",
        R"({"status":{"conditions":[{"type":"Stalled","status":"True","reason":"NoQuota"}]}})",
        kBad, "stalled: NoQuota"},
       {"old generation",
        R"({"metadata":{"generation":3},"status":{"observedGeneration":2,"conditions":[{"type":"Ready","status":"True"}]}})",
        kGoing, "the controller has not seen the newest version yet"},
       {"being deleted", R"({"metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z"}})", kGoing,
        "is being deleted"},
       {"odd shapes",
        R"({"metadata":[],"status":{"conditions":[7,{"type":9}],"observedGeneration":"x"}})", kGood,
        "ready"}});
}

TEST_CASE("a Deployment", "[health]") {
  check_all(
      "apps/v1", "Deployment",
      {{"new", R"({"spec":{"replicas":2}})", kGoing, "0 of 2 replicas exist"},
       {"quota",
        R"({"spec":{"replicas":2},"status":{"conditions":[{"type":"ReplicaFailure","status":"True","reason":"FailedCreate","message":"exceeded quota"}]}})",
        kGoing, "0 of 2 replicas exist (FailedCreate: exceeded quota)"},
       {"rolling", R"({"spec":{"replicas":2},"status":{"replicas":3,"updatedReplicas":1}})", kGoing,
        "1 of 2 replicas are updated"},
       {"old ones", R"({"spec":{"replicas":2},"status":{"replicas":3,"updatedReplicas":2}})",
        kGoing, "1 of 3 replicas are old and still there"},
       {"not available",
        R"({"spec":{"replicas":2},"status":{"replicas":2,"updatedReplicas":2,"readyReplicas":1,"availableReplicas":1}})",
        kGoing, "1 of 2 replicas are available"},
       {"stuck",
        R"({"spec":{"replicas":2},"status":{"replicas":2,"conditions":[{"type":"Progressing","status":"False","reason":"ProgressDeadlineExceeded","message":"timed out"}]}})",
        kBad, "no progress in time: ProgressDeadlineExceeded: timed out"},
       {"progress unproven",
        R"({"spec":{"replicas":1,"progressDeadlineSeconds":600},"status":{"replicas":1,"updatedReplicas":1,"readyReplicas":1,"availableReplicas":1,"conditions":[{"type":"Available","status":"True"},{"type":"Progressing","status":"True","reason":"ReplicaSetUpdated"}]}})",
        kGoing, "the new replicas are not all available yet"},
       {"done",
        R"({"spec":{"replicas":1,"progressDeadlineSeconds":600},"status":{"replicas":1,"updatedReplicas":1,"readyReplicas":1,"availableReplicas":1,"conditions":[{"type":"Available","status":"True"},{"type":"Progressing","status":"True","reason":"NewReplicaSetAvailable"}]}})",
        kGood, "1 of 1 replicas are ready"},
       {"scaled to nothing",
        R"({"spec":{"replicas":0},"status":{"conditions":[{"type":"Available","status":"True"}]}})",
        kGood, "0 of 0 replicas are ready"}});
}

TEST_CASE("a StatefulSet", "[health]") {
  check_all(
      "apps/v1", "StatefulSet",
      {{"new", R"({"spec":{"replicas":3},"status":{"replicas":1}})", kGoing,
        "1 of 3 replicas exist"},
       {"not ready", R"({"spec":{"replicas":3},"status":{"replicas":3,"readyReplicas":2}})", kGoing,
        "2 of 3 replicas are ready"},
       {"too many", R"({"spec":{"replicas":1},"status":{"replicas":3,"readyReplicas":3}})", kGoing,
        "2 of 3 replicas are too many"},
       {"on delete", R"({"spec":{"replicas":3,"updateStrategy":{"type":"OnDelete"}}})", kGood,
        "pods are replaced when somebody deletes them"},
       {"partition",
        R"({"spec":{"replicas":3,"updateStrategy":{"rollingUpdate":{"partition":2}}},"status":{"replicas":3,"readyReplicas":3,"updatedReplicas":0}})",
        kGoing, "0 of 1 replicas are updated"},
       {"partition done",
        R"({"spec":{"replicas":3,"updateStrategy":{"rollingUpdate":{"partition":2}}},"status":{"replicas":3,"readyReplicas":3,"updatedReplicas":1}})",
        kGood, "1 of 1 replicas of the partition are updated"},
       {"revisions differ",
        R"({"spec":{"replicas":1},"status":{"replicas":1,"readyReplicas":1,"currentReplicas":1,"currentRevision":"a","updateRevision":"b"}})",
        kGoing, "0 of 1 replicas are updated"},
       {"done",
        R"({"spec":{"replicas":1},"status":{"replicas":1,"readyReplicas":1,"currentReplicas":1,"currentRevision":"a","updateRevision":"a"}})",
        kGood, "1 of 1 replicas are ready"}});
}

TEST_CASE("a DaemonSet", "[health]") {
  check_all(
      "apps/v1", "DaemonSet",
      {{"new", R"({})", kGoing, "the controller has not seen it yet"},
       {"scheduling",
        R"({"metadata":{"generation":1},"status":{"observedGeneration":1,"desiredNumberScheduled":3,"currentNumberScheduled":1}})",
        kGoing, "1 of 3 pods are scheduled"},
       {"updating",
        R"({"status":{"observedGeneration":1,"desiredNumberScheduled":3,"currentNumberScheduled":3,"updatedNumberScheduled":2}})",
        kGoing, "2 of 3 pods are updated"},
       {"done",
        R"({"status":{"observedGeneration":1,"desiredNumberScheduled":3,"currentNumberScheduled":3,"updatedNumberScheduled":3,"numberAvailable":3,"numberReady":3}})",
        kGood, "3 of 3 pods are ready"},
       {"no node", R"({"status":{"observedGeneration":1,"desiredNumberScheduled":0}})", kGood,
        "0 of 0 pods are ready"}});
}

TEST_CASE("a Job", "[health]") {
  check_all(
      "batch/v1", "Job",
      {{"new", R"({})", kGoing, "the job has not started"},
       {"running", R"({"spec":{"completions":3},"status":{"startTime":"x","succeeded":1}})", kGoing,
        "1 of 3 pods have completed"},
       {"complete", R"({"status":{"conditions":[{"type":"Complete","status":"True"}]}})", kGood,
        "completed"},
       {"failed",
        R"({"status":{"conditions":[{"type":"Failed","status":"True","reason":"BackoffLimitExceeded"}]}})",
        kBad, "the job failed: BackoffLimitExceeded"},
       {"suspended", R"({"spec":{"suspend":true}})", kGood, "suspended"}});
}

TEST_CASE("a Pod", "[health]") {
  check_all(
      "v1", "Pod",
      {{"new", R"({})", kGoing, "the pod is not ready yet"},
       {"ready",
        R"({"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}})", kGood,
        "ready"},
       {"succeeded", R"({"status":{"phase":"Succeeded"}})", kGood, "completed"},
       {"failed", R"({"status":{"phase":"Failed","message":"evicted"}})", kBad,
        "the pod failed: evicted"},
       {"no node",
        R"({"status":{"conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable","message":"0/3 nodes"}]}})",
        kGoing, "not scheduled: Unschedulable: 0/3 nodes"},
       {"no image",
        R"({"status":{"containerStatuses":[{"name":"web","state":{"waiting":{"reason":"ImagePullBackOff","message":"no such image"}}}]}})",
        kGoing, "web: ImagePullBackOff: no such image"},
       {"crashing",
        R"({"status":{"containerStatuses":[{"name":"web","state":{"waiting":{"reason":"CrashLoopBackOff"}}}]}})",
        kBad, "web: CrashLoopBackOff"}});
}

TEST_CASE("claims, services, definitions and what is well by being there", "[health]") {
  check_all("v1", "PersistentVolumeClaim",
            {{"pending", R"({"status":{"phase":"Pending"}})", kGoing, "waits for a volume"},
             {"bound", R"({"status":{"phase":"Bound"}})", kGood, "bound"},
             {"lost", R"({"status":{"phase":"Lost"}})", kBad, "its volume is lost"}});
  check_all(
      "v1", "Service",
      {{"cluster", R"({"spec":{"type":"ClusterIP"}})", kGood, "ready"},
       {"waits", R"({"spec":{"type":"LoadBalancer"}})", kGoing, "waits for a cluster address"},
       {"balanced", R"({"spec":{"type":"LoadBalancer","clusterIP":"10.0.0.7"}})", kGood, "ready"}});
  check_all(
      "apiextensions.k8s.io/v1", "CustomResourceDefinition",
      {{"new", R"({})", kGoing, "not established yet"},
       {"installing",
        R"({"status":{"conditions":[{"type":"Established","status":"False","reason":"Installing"}]}})",
        kGoing, "not established yet"},
       {"established", R"({"status":{"conditions":[{"type":"Established","status":"True"}]}})",
        kGood, "established"},
       {"taken",
        R"({"status":{"conditions":[{"type":"NamesAccepted","status":"False","reason":"PluralConflict"}]}})",
        kBad, "its names are taken: PluralConflict"}});
  check_all(
      "policy/v1", "PodDisruptionBudget",
      {{"without pods", R"({"status":{"currentHealthy":0,"desiredHealthy":1}})", kGood, "ready"},
       {"seen late", R"({"metadata":{"generation":2},"status":{"observedGeneration":1}})", kGoing,
        "the controller has not seen the newest version yet"}});
  check_all("v1", "ConfigMap", {{"any", R"({"data":{}})", kGood, "ready"}});
}

TEST_CASE("a message from the cluster forges no terminal line", "[health]") {
  const auto report = apply::assess(
      R"({"apiVersion":"v1","kind":"Pod","status":{"phase":"Failed","message":"a\u001b[2Jb\nc"}})");
  CHECK(report.message == "the pod failed: a?[2Jb?c");
}

TEST_CASE("nobody watches what is always well", "[health]") {
  CHECK_FALSE(apply::has_health_rule({"v1", "ConfigMap", "", ""}));
  CHECK_FALSE(apply::has_health_rule({"rbac.authorization.k8s.io/v1", "Role", "", ""}));
  CHECK(apply::has_health_rule({"apps/v1", "Deployment", "", ""}));
  CHECK(apply::has_health_rule({"example.org/v1", "ConfigMap", "", ""}));
}
