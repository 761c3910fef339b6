#include "plan/validate.h"

#include <atomic>
#include <thread>

#include "tests/unit/validate/cluster.h"

using namespace plumb;
using namespace plumb::test;

namespace {

/// A Deployment with `lines` (indented by two) in its spec.
std::string deployment(const std::string& lines) {
  return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec:\n"
         "  selector: {matchLabels: {app: web}}\n" +
         lines +
         "  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers:\n"
         "      - name: web\n        image: nginx\n";
}

std::string pod(const std::string& container, const std::string& spec = "") {
  return "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n" + spec +
         "  containers:\n  - name: c\n    image: nginx\n" + container;
}

std::string config_map(const std::string& rest) {
  return "apiVersion: v1\nkind: ConfigMap\n" + rest;
}

}  // namespace

TEST_CASE("an object that the server takes has no verdict", "[validate]") {
  CHECK(
      judge(deployment(
                "  replicas: 2\n  strategy: {rollingUpdate: {maxSurge: 25%, maxUnavailable: 1}}\n"))
          .empty());
  CHECK(judge(pod("    resources: {limits: {cpu: 1.5, memory: 64Mi}}\n")).empty());
}

TEST_CASE("an unknown key names the nearest right one", "[validate]") {
  const Verdict verdict = only(judge(deployment("  replica: 3\n")));
  CHECK(verdict.effect == Effect::deny);
  CHECK(verdict.rule == "schema.unknown");
  CHECK(verdict.field == "spec.replica");
  CHECK(verdict.object == "Deployment web");
  CHECK(verdict.message == "no such key in Deployment.spec (apps/v1, 1.34)");
  CHECK(verdict.hint == "did you mean \"replicas\"?");
  CHECK(verdict.subject == "replica");
}

TEST_CASE("unknown keys are found at every depth, all of them at once", "[validate]") {
  const auto verdicts =
      judge(pod("    imagepullPolicy: Always\n    ports: [{port: 80, containerPort: 80}]\n"));
  REQUIRE(verdicts.size() == 2);
  CHECK(verdicts[0].field == "spec.containers[0].imagepullPolicy");
  CHECK(verdicts[0].hint == "did you mean \"imagePullPolicy\"?");
  CHECK(verdicts[1].field == "spec.containers[0].ports[0].port");
  CHECK(verdicts[1].message == "no such key in Pod.spec.containers.ports (v1, 1.34)");
}

TEST_CASE("a key at the wrong level is told where it belongs", "[validate]") {
  const Verdict verdict = only(judge(deployment("  containers: []\n")));
  CHECK(verdict.hint == "it belongs in spec.template.spec");
}

TEST_CASE("a wrong type says what was expected and what came", "[validate]") {
  Verdict verdict = only(judge(deployment("  replicas: \"3\"\n")));
  CHECK(verdict.rule == "schema.type");
  CHECK(verdict.field == "spec.replicas");
  CHECK(verdict.message == "expected integer, got string");
  CHECK(verdict.hint == "write the value without quotes");

  verdict = only(judge(pod("    env: [{name: A, value: 8080}]\n")));
  CHECK(verdict.field == "spec.containers[0].env[0].value");
  CHECK(verdict.message == "expected string, got integer");
  CHECK(verdict.hint == "write the value in quotes");

  CHECK(only(judge(pod("    command: sh\n"))).message == "expected list, got string");
  CHECK(only(judge(deployment("  replicas: 1.5\n"))).message == "expected integer, got number");
  CHECK(judge(deployment("  replicas: 1.0\n")).empty());
}

TEST_CASE("a missing required key is named at the mapping that lacks it", "[validate]") {
  const Verdict verdict =
      only(judge("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template: "
                 "{spec: {containers: [{name: c, image: i}]}}\n"));
  CHECK(verdict.rule == "schema.required");
  CHECK(verdict.field == "spec");
  CHECK(verdict.message == "required key \"selector\" is missing");
}

TEST_CASE("what the document calls required and the server fills in may be missing", "[validate]") {
  CHECK(judge("apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: r}\n"
              "roleRef: {kind: Role, name: r}\n")
            .empty());
  CHECK(judge("apiVersion: storage.k8s.io/v1\nkind: CSIDriver\nmetadata: {name: d}\n").empty());
}

TEST_CASE("null is \"not set\" for built-in kinds", "[validate]") {
  CHECK(judge(deployment("  replicas: null\n")).empty());
  CHECK(
      judge(config_map("metadata: {name: c, creationTimestamp: null}\ndata: {a: null}\n")).empty());
  CHECK(only(judge("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w}\nspec: {selector: "
                   "null, template: {}}\n"))
            .message == "required key \"selector\" is missing");
}

TEST_CASE("an enum word names the nearest right one", "[validate]") {
  const Verdict verdict = only(judge(pod("    imagePullPolicy: always\n")));
  CHECK(verdict.rule == "schema.enum");
  CHECK(verdict.hint == "did you mean \"Always\"?");
  CHECK(verdict.subject == "always");
  CHECK(verdict.message == "\"always\" is not one of \"Always\", \"IfNotPresent\", \"Never\"");
  CHECK(judge(pod("    imagePullPolicy: \"\"\n")).empty());
}

TEST_CASE("a number that apply would wrap to 32 bits is refused", "[validate]") {
  const Verdict verdict = only(judge(pod("    ports: [{containerPort: 4294967376}]\n")));
  CHECK(verdict.rule == "schema.range");
  CHECK(verdict.message == "4294967376 does not fit in 32 bits");
}

TEST_CASE("quantities follow the server's grammar", "[validate]") {
  for (const char* good :
       {"100m", "1", "0.5", "1.", ".5", "+1", "1e6", "1E", "2Gi", "1Ei", "1e-3"}) {
    INFO(good);
    CHECK(judge(pod("    resources: {limits: {memory: \"" + std::string(good) + "\"}}\n")).empty());
  }
  for (const char* bad : {"1GiB", "1 Gi", "1K", "1ki", "1g", "1e", "", "Gi", "1.2.3", "1e1.5"}) {
    INFO(bad);
    const Verdict verdict =
        only(judge(pod("    resources: {limits: {memory: \"" + std::string(bad) + "\"}}\n")));
    CHECK(verdict.rule == "schema.quantity");
    CHECK(verdict.field == "spec.containers[0].resources.limits.memory");
  }
}

TEST_CASE("two items with the same key are refused as apply refuses them", "[validate]") {
  Verdict verdict =
      only(judge(pod("    env: [{name: A, value: x}, {name: B}, {name: A, value: z}]\n")));
  CHECK(verdict.rule == "schema.duplicate");
  CHECK(verdict.field == "spec.containers[0].env[2]");
  CHECK(verdict.message == "two items with the same name \"A\"");

  // The protocol that is left out is TCP, so these are the same port.
  CHECK(only(judge(pod("    ports: [{containerPort: 80}, {containerPort: 80, protocol: TCP}]\n")))
            .rule == "schema.duplicate");
  CHECK(
      judge(pod("    ports: [{containerPort: 80}, {containerPort: 80, protocol: UDP}]\n")).empty());
}

TEST_CASE("a kind that the cluster does not have names the nearest", "[validate]") {
  Verdict verdict = only(judge("apiVersion: apps/v1\nkind: Deploymant\nmetadata: {name: x}\n"));
  CHECK(verdict.rule == "schema.kind");
  CHECK(verdict.field == "kind");
  CHECK(verdict.hint == "did you mean \"Deployment\"?");

  verdict = only(judge("apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: x}\n"));
  CHECK(verdict.field == "apiVersion");
  CHECK(verdict.hint == "did you mean \"apiVersion: networking.k8s.io/v1\"?");
  CHECK(verdict.subject == "extensions/v1beta1");

  verdict = only(judge("apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: x}\n"));
  CHECK(verdict.hint == "push its CustomResourceDefinition first, or in the same push");
}

TEST_CASE("names follow the rules of their kind", "[validate]") {
  CHECK(only(judge(config_map("metadata: {name: Upper}\n"))).rule == "metadata.name");
  CHECK(judge(config_map("metadata: {name: a.b-c.d1}\n")).empty());
  CHECK(only(judge(config_map("metadata: {name: " + std::string(254, 'a') + "}\n"))).field ==
        "metadata.name");
  CHECK(only(judge("apiVersion: v1\nkind: Namespace\nmetadata: {name: a.b}\n")).rule ==
        "metadata.name");
  CHECK(
      only(judge(
               "apiVersion: v1\nkind: Service\nmetadata: {name: 1a}\nspec: {ports: [{port: 1}]}\n"))
          .rule == "metadata.name");
  CHECK(judge("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: "
              "\"system:a.B\"}\nrules: []\n")
            .empty());
  const Verdict verdict = only(judge(config_map("metadata: {generateName: a-}\n")));
  CHECK(verdict.message == "the object has no name");
  CHECK(verdict.hint == "apply cannot use generateName: write a name");
}

TEST_CASE("labels and annotations are judged, also in pod templates and selectors", "[validate]") {
  Verdict verdict =
      only(judge(config_map("metadata: {name: c, labels: {\"example.org/a b\": x}}\n")));
  CHECK(verdict.rule == "metadata.label");
  CHECK(verdict.field == "metadata.labels[\"example.org/a b\"]");
  CHECK(only(judge(config_map("metadata: {name: c, labels: {a: \"no spaces\"}}\n"))).field ==
        "metadata.labels.a");
  CHECK(only(judge(config_map("metadata: {name: c, annotations: {\"a b\": x}}\n"))).rule ==
        "metadata.annotation");
  CHECK(
      judge(config_map("metadata: {name: c, annotations: {Example.org/a: \"any text at all\"}}\n"))
          .empty());
  CHECK(only(judge(config_map("metadata: {name: c, annotations: {a: " + std::string(262145, 'x') +
                              "}}\n")))
            .rule == "metadata.annotation");
  const auto both = judge(
      "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w}\nspec:\n  selector: "
      "{matchLabels: {app: \"a b\"}}\n"
      "  template: {metadata: {labels: {app: \"a b\"}}, spec: {containers: [{name: c, image: "
      "i}]}}\n");
  REQUIRE(both.size() == 2);
  CHECK(both[0].field == "spec.selector.matchLabels.app");
  CHECK(both[1].field == "spec.template.metadata.labels.app");
}

TEST_CASE("managedFields are refused and a namespace of a cluster-wide kind is a warning",
          "[validate]") {
  CHECK(only(judge(config_map("metadata: {name: c, managedFields: [{manager: x}]}\n"))).rule ==
        "metadata.managed");
  const Verdict verdict =
      only(judge("apiVersion: v1\nkind: Namespace\nmetadata: {name: a, namespace: b}\n"));
  CHECK(verdict.effect == Effect::warn);
  CHECK(verdict.rule == "metadata.namespace");
}

TEST_CASE("the keys of a ConfigMap's data are judged", "[validate]") {
  const Verdict verdict =
      only(judge(config_map("metadata: {name: c}\ndata: {\"a/b\": x, a.b_c-D: z}\n")));
  CHECK(verdict.rule == "schema.key");
  CHECK(verdict.field == "data[\"a/b\"]");
}

TEST_CASE("no verdict about a Secret holds one of its values", "[validate]") {
  const auto verdicts = judge(
      "apiVersion: v1\nkind: Secret\nmetadata: {name: s, labels: {a: \"hunter2 x\"}}\n"
      "data: {a: hunter2!, b: [hunter2]}\nstringData: {pin: 734921}\ntype: [hunter2]\nimmutable: "
      "hunter2\n");
  CHECK(verdicts.size() == 6);
  for (const Verdict& verdict : verdicts) {
    const std::string all = verdict.message + verdict.hint + verdict.subject + verdict.field;
    INFO(all);
    CHECK(all.find("hunter2") == std::string::npos);
    CHECK(all.find("734921") == std::string::npos);
  }
}

TEST_CASE("base64 and times are read as the server reads them", "[validate]") {
  const std::string secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: ";
  for (const char* good : {"\"\"", "aGk=", "aGkh", "\"aG\\nkh\"", "null"})
    CHECK(judge(secret + good + "}\n").empty());
  for (const char* bad : {"aGk", "hunter2!", "a", "aG=k", "\"aGk= \""}) {
    INFO(bad);
    const Verdict verdict = only(judge(secret + bad + "}\n"));
    CHECK(verdict.rule == "schema.format");
    CHECK(verdict.hint == "plain text goes under stringData");
  }
  CHECK(only(judge(config_map("metadata: {name: c, creationTimestamp: yesterday}\n"))).rule ==
        "schema.format");
}

TEST_CASE("an object full of faults is cut at fifty", "[validate]") {
  std::string text = config_map("metadata: {name: c}\n");
  for (int i = 0; i < 80; ++i) text += "unknown" + std::to_string(i) + ": 1\n";
  CHECK(judge(text).size() == 50);
}

TEST_CASE("status is typed but asks for nothing, as apply drops it", "[validate]") {
  CHECK(judge(deployment("") + "status: {conditions: [{type: Available}]}\n").empty());
  CHECK(judge(pod("") + "status: {phase: Whatever}\n").empty());
  CHECK(only(judge(deployment("") + "status: {replicaz: 1}\n")).field == "status.replicaz");
}

TEST_CASE("scope and plural come from the cluster", "[validate]") {
  const Schema schema = trimmed_schema();
  CHECK(schema->has_kind("apps/v1", "Deployment"));
  CHECK_FALSE(schema->has_kind("apps/v1beta1", "Deployment"));
  CHECK_FALSE(schema->has_kind("apps/v1", "DeploymentList"));
  CHECK(schema->plural("networking.k8s.io/v1", "Ingress") == "ingresses");
  CHECK(schema->namespaced("v1", "Namespace") == false);
  CHECK(schema->namespaced("v1", "Pod") == true);
  CHECK(schema->namespaced("v1", "Nope") == std::nullopt);
  CHECK(schema->version() == "1.34");
}

TEST_CASE("built-in kinds are known without a cluster", "[validate]") {
  CHECK(plan::builtin_namespaced("v1", "ConfigMap") == true);
  CHECK(plan::builtin_namespaced("rbac.authorization.k8s.io/v1", "ClusterRole") == false);
  CHECK(plan::builtin_namespaced("apiextensions.k8s.io/v1", "CustomResourceDefinition") == false);
  CHECK(plan::builtin_namespaced("v1", "Deployment") == std::nullopt);
  CHECK(plan::builtin_namespaced("example.org/v1", "Widget") == std::nullopt);
}

TEST_CASE("documents that are no JSON or name no kind are refused", "[validate]") {
  CHECK(must_fail(plan::ClusterSchema::compile({"{"}, {}, "1.34"))
            .message.rfind("read an OpenAPI document: ", 0) == 0);
  CHECK(must_fail(plan::ClusterSchema::compile({}, {"{}"}, "1.34")).code == Errc::invalid);
}

TEST_CASE("one schema is used by several threads", "[validate]") {
  const Schema schema = trimmed_schema();
  const Manifest manifest = object(deployment("  replica: 3\n"));
  std::vector<std::thread> threads;
  std::atomic<int> found = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j) found += static_cast<int>(schema->judge(manifest).size());
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(found == 200);
}
