#include "plan/schema_values.h"
#include "tests/unit/validate/cluster.h"

using namespace plumb;
using namespace plumb::test;

namespace {

std::string pod(const std::string& spec) {
  return "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {" + spec + "}\n";
}

std::string container(const std::string& rest) {
  return "containers: [{name: c, image: i, " + rest + "}]";
}

std::string workload(const std::string& kind,
                     const std::string& spec,
                     const std::string& pod_spec = "") {
  return "apiVersion: " + std::string(kind == "Job" ? "batch/v1" : "apps/v1") + "\nkind: " + kind +
         "\nmetadata: {name: w}\nspec: {" + spec +
         "template: {metadata: {labels: {app: web, tier: front}}, spec: {" + pod_spec +
         "containers: [{name: c, image: i}]}}}\n";
}

std::string found(const std::string& yaml) {
  std::string all;
  for (const Verdict& verdict : judge(yaml)) {
    all += (all.empty() ? "" : "; ") + verdict.rule + " " + verdict.field;
    CHECK(verdict.effect == Effect::deny);
  }
  return all;
}

}  // namespace

TEST_CASE("a pod has containers with images, and mounts only what it has", "[validate]") {
  CHECK(found(pod("containers: []")) == "native.containers spec.containers");
  CHECK(found("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n") ==
        "native.containers spec.containers");
  CHECK(found(pod("containers: [{name: c}]")) == "native.image spec.containers[0]");
  CHECK(found(pod("containers: [{name: C, image: i}]")) == "metadata.name spec.containers[0].name");
  CHECK(found(pod(container("volumeMounts: [{name: v, mountPath: /v}]"))) ==
        "native.volume spec.containers[0].volumeMounts[0].name");
  CHECK(found(pod(container("volumeMounts: [{name: v, mountPath: /v}]") +
                  ", volumes: [{name: v, emptyDir: {}}]")) == "");
  CHECK(found(pod(container("stdin: true") +
                  ", volumes: [{name: v, emptyDir: {}, configMap: {name: c}}]")) ==
        "native.volume spec.volumes[0]");
}

TEST_CASE("ports are ports", "[validate]") {
  CHECK(found(pod(container("ports: [{containerPort: 65535, hostPort: 0}]"))) == "");
  CHECK(found(pod(container("ports: [{containerPort: 65536}]"))) ==
        "native.port spec.containers[0].ports[0].containerPort");
  CHECK(found(pod(container("ports: [{containerPort: 0}]"))) ==
        "native.port spec.containers[0].ports[0].containerPort");
  const std::string service = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: ";
  CHECK(found(service + "[{port: 80, targetPort: http}]}") == "");
  CHECK(found(service + "[{port: 70000}]}") == "native.port spec.ports[0].port");
  CHECK(found(service + "[{port: 80, name: a}, {port: 81}]}") == "native.port spec.ports[1]");
}

TEST_CASE("no request is above its limit", "[validate]") {
  const auto resources = [](const std::string& request, const std::string& limit) {
    return found(pod(container("resources: {requests: {cpu: \"" + request +
                               "\"}, limits: {cpu: \"" + limit + "\"}}")));
  };
  CHECK(resources("1000m", "1") == "");
  CHECK(resources("0.1", "100m") == "");
  CHECK(resources("1024Mi", "1Gi") == "");
  CHECK(resources("1001m", "1") == "native.resources spec.containers[0].resources.requests.cpu");
  CHECK(resources("1Gi", "1G") == "native.resources spec.containers[0].resources.requests.cpu");
  CHECK(resources("-1", "1") == "native.resources spec.containers[0].resources.requests.cpu");
}

TEST_CASE("a selector finds the pods of its own template", "[validate]") {
  CHECK(found(workload("Deployment", "selector: {matchLabels: {app: web}}, ")) == "");
  CHECK(found(workload("Deployment", "selector: {matchLabels: {app: api}}, ")) ==
        "native.selector spec.selector");
  CHECK(found(workload("StatefulSet", "selector: {}, ")) == "native.selector spec.selector");
  const auto expression = [](const std::string& text) {
    return found(workload("DaemonSet", "selector: {matchExpressions: [" + text + "]}, "));
  };
  CHECK(expression("{key: app, operator: In, values: [api, web]}") == "");
  CHECK(expression("{key: app, operator: NotIn, values: [api]}, {key: tier, operator: Exists}") ==
        "");
  CHECK(expression("{key: app, operator: NotIn, values: [web]}") ==
        "native.selector spec.selector");
  CHECK(expression("{key: tier, operator: DoesNotExist}") == "native.selector spec.selector");
}

TEST_CASE("pods restart as their kind allows", "[validate]") {
  const std::string selector = "selector: {matchLabels: {app: web}}, ";
  CHECK(found(workload("Deployment", selector, "restartPolicy: Never, ")) ==
        "native.restart spec.template.spec.restartPolicy");
  CHECK(found(workload("Job", "")) == "native.restart spec.template.spec.restartPolicy");
  CHECK(found(workload("Job", "", "restartPolicy: OnFailure, ")) == "");
}

TEST_CASE("autoscalers, budgets, roles and schedules make sense", "[validate]") {
  const std::string scaler =
      "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\n"
      "spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}, ";
  CHECK(found(scaler + "minReplicas: 3, maxReplicas: 3}") == "");
  CHECK(found(scaler + "minReplicas: 4, maxReplicas: 3}") == "native.replicas spec.maxReplicas");
  CHECK(found("apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: b}\n"
              "spec: {minAvailable: 1, maxUnavailable: 1, selector: {}}") == "native.budget spec");
  CHECK(found("apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\n"
              "rules: [{resources: [pods], verbs: [get]}]") == "native.rule rules[0]");
  for (const char* good : {"*/5 * * * *", "0 0 1 JAN MON-FRI", "@daily", "@every 5m"}) {
    CHECK(plan::shape::is_schedule(good));
  }
  for (const char* bad : {"", "every day", "* * * *", "* * * * * *", "@sometimes", "* * * * $"}) {
    CHECK_FALSE(plan::shape::is_schedule(bad));
  }
}

TEST_CASE("typed Secrets have their keys, and no verdict shows what is in them", "[validate]") {
  const std::string secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n";
  CHECK(found(secret + "type: kubernetes.io/tls\nstringData: {tls.crt: a, tls.key: b}\n") == "");
  CHECK(found(secret + "type: kubernetes.io/tls\ndata: {tls.crt: aGk=}\n") == "native.secret data");
  CHECK(found(secret + "type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: "
                       "'{\"auths\":{}}'}\n") == "");
  CHECK(found(secret + "type: kubernetes.io/dockerconfigjson\ndata: {.dockerconfigjson: e30=}\n") ==
        "");
  const auto verdicts = judge(
      secret + "type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: hunter2}\n");
  REQUIRE(verdicts.size() == 1);
  CHECK(verdicts[0].field == "stringData[\".dockerconfigjson\"]");
  CHECK(verdicts[0].message == "the value is no JSON");
}

TEST_CASE("base64 is decoded and quantities are measured", "[validate]") {
  CHECK(plan::shape::from_base64("aGk=") == "hi");
  CHECK(plan::shape::from_base64("aG\nkh") == "hi!");
  CHECK(static_cast<double>(plan::shape::quantity("1500m").value()) == 1.5);
  CHECK(static_cast<double>(plan::shape::quantity("2Ki").value()) == 2048);
  CHECK_FALSE(plan::shape::quantity("1e3").has_value());
  CHECK_FALSE(plan::shape::quantity("x").has_value());
}
