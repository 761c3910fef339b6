/// Plans on a real API server.
#include <future>

#include "apply/kube_cluster.h"
#include "tests/support/control_plane.h"
#include "tests/unit/apply/fakes.h"

using namespace plumb;
using namespace plumb::test;
using namespace std::chrono_literals;

namespace {

/// The real cluster, with its calls written down.
class Counted final : public apply::Cluster {
 public:
  Counted(Log& log, const std::string& token) : log_(log) {
    kube::Access access;
    access.server = ControlPlane::shared().server();
    access.ca_pem = ControlPlane::shared().ca_pem();
    access.origin = "a test";
    access.token = token;
    real_ = std::make_unique<apply::KubeCluster>(must(kube::Client::open(access)));
  }
  Result<std::string> uid() override { return real_->uid(); }
  Result<Live> apply(const Manifest& manifest, std::chrono::milliseconds timeout) override {
    log_.add("apply " + manifest.key.title());
    return real_->apply(manifest, timeout);
  }
  Result<std::optional<Live>> get(const ObjectKey& key) override { return real_->get(key); }
  Result<bool> remove(const ObjectKey& key, const std::string& uid) override {
    log_.add("delete " + key.title());
    return real_->remove(key, uid);
  }
  Result<> watch(
      const std::vector<ObjectKey>& keys,
      std::chrono::steady_clock::time_point deadline,
      std::stop_token stop,
      const std::function<bool(const ObjectKey&, const std::string&)>& changed) override {
    log_.add("watch " + keys.front().title());
    if (before_watch) before_watch();
    return real_->watch(keys, deadline, std::move(stop), changed);
  }
  void refresh_kinds() override { real_->refresh_kinds(); }

  std::function<void()> before_watch;

 private:
  Log& log_;
  std::unique_ptr<apply::KubeCluster> real_;
};

/// One application in a namespace of its own.
struct Shop {
  explicit Shop(const std::string& the_ns, const std::string& token = ControlPlane::kAdminToken)
      : ns(the_ns), cluster(log, token) {
    request.plan.application.ns = ns;
    request.plan.application.health_timeout = 60s;
  }
  Outcome run(std::vector<Manifest> objects) {
    request.plan.objects = std::move(objects);
    request.inventory = journal.inventory();
    return apply::apply_plan(request, cluster, journal, stop.get_token());
  }
  Manifest map(const std::string& name, const std::string& value = "1") const {
    return config_map(name, value, nullptr, ns);
  }
  std::string kubectl(std::vector<std::string> arguments, const std::string& input = {}) const {
    arguments.insert(arguments.end(), {"-n", ns});
    return ControlPlane::shared().kubectl(arguments, input);
  }

  std::string ns;
  Log log;
  Counted cluster;
  MemoryJournal journal{log};
  ApplyRequest request;
  std::stop_source stop;
};

Manifest widgets(const std::string& group) {
  return manifest_of(
      {{"apiVersion", "apiextensions.k8s.io/v1"},
       {"kind", "CustomResourceDefinition"},
       {"metadata", {{"name", "widgets." + group}}},
       {"spec",
        {{"group", group},
         {"scope", "Namespaced"},
         {"names", {{"plural", "widgets"}, {"singular", "widget"}, {"kind", "Widget"}}},
         {"versions",
          Json::array({{{"name", "v1"},
                        {"served", true},
                        {"storage", true},
                        {"schema",
                         {{"openAPIV3Schema",
                           {{"type", "object"},
                            {"properties",
                             {{"spec",
                               {{"type", "object"},
                                {"properties", {{"size", {{"type", "integer"}}}}}}}}}}}}}}})}}}});
}

Manifest deployment(const std::string& ns, Json replicas) {
  Json container{{"name", "web"}, {"image", "example.org/web:1"}};
  Json containers = Json::array();
  containers.push_back(container);
  return manifest_of({{"apiVersion", "apps/v1"},
                      {"kind", "Deployment"},
                      {"metadata", {{"name", "web"}, {"namespace", ns}}},
                      {"spec",
                       {{"replicas", std::move(replicas)},
                        {"selector", {{"matchLabels", {{"app", "web"}}}}},
                        {"template",
                         {{"metadata", {{"labels", {{"app", "web"}}}}},
                          {"spec", {{"containers", containers}}}}}}}});
}

constexpr const char* kWell =
    R"({"status":{"observedGeneration":1,"replicas":1,"updatedReplicas":1,"readyReplicas":1,
    "availableReplicas":1,"conditions":[{"type":"Available","status":"True"},
    {"type":"Progressing","status":"True","reason":"NewReplicaSetAvailable"}]}})";

}  // namespace

TEST_CASE("a plan with a definition, its object, a namespace and its content applies in one go",
          "[real]") {
  Shop shop("one-go");
  const Manifest widget = manifest_of({{"apiVersion", "one-go.example.org/v1"},
                                       {"kind", "Widget"},
                                       {"metadata", {{"name", "w"}, {"namespace", "one-go"}}},
                                       {"spec", {{"size", 3}}}});
  const auto outcome = shop.run(
      {widget, shop.map("a"), simple("v1", "Namespace", "one-go"), widgets("one-go.example.org")});
  CAPTURE(outcome.message);
  REQUIRE(outcome.ending == Ending::healthy);
  CHECK(outcome.counts.created == 4);
  CHECK(shop.kubectl({"get", "widgets.one-go.example.org", "w", "-o", "jsonpath={.spec.size}"}) ==
        "3");
  CHECK(shop.journal.audit_ids.size() == 4);
  CHECK_FALSE(shop.journal.audit_ids[0].empty());

  // Again: not one call. One value: one call.
  const auto calls = shop.log.count("apply ");
  CHECK(shop.run(shop.request.plan.objects).counts.unchanged == 4);
  CHECK(shop.log.count("apply ") == calls);
  auto objects = shop.request.plan.objects;
  objects[1] = shop.map("a", "2");
  CHECK(shop.run(objects).counts.configured == 1);
  CHECK(shop.log.count("apply ") == calls + 1);
  CHECK(shop.kubectl({"get", "cm", "a", "-o", "jsonpath={.data.key}"}) == "2");
}

TEST_CASE("the application's namespace is made, and stays when the application goes", "[real]") {
  Shop shop("made-for-it");
  REQUIRE(shop.run({shop.map("a"), shop.map("b")}).ending == Ending::healthy);
  shop.request.plan.remove_application = true;
  CHECK(shop.run({}).counts.pruned == 2);
  CHECK(ControlPlane::shared().kubectl({"get", "ns", "made-for-it", "-o", "name"}) ==
        "namespace/made-for-it\n");
  CHECK(shop.kubectl({"get", "cm", "--ignore-not-found", "a", "b"}).empty());
}

TEST_CASE("prune deletes our object, and keeps one that was made anew under its name", "[real]") {
  Shop shop("pruned");
  REQUIRE(shop.run({shop.map("a"), shop.map("b"), shop.map("c")}).ending == Ending::healthy);
  shop.kubectl({"delete", "cm", "b"});
  shop.kubectl({"create", "cm", "b", "--from-literal=mine=yes"});
  const auto outcome = shop.run({shop.map("a")});
  CHECK(outcome.ending == Ending::healthy);
  CHECK(outcome.counts.pruned == 1);
  CHECK(shop.kubectl({"get", "cm", "c", "--ignore-not-found"}).empty());
  CHECK(shop.kubectl({"get", "cm", "b", "-o", "jsonpath={.data.mine}"}) == "yes");
  CHECK(shop.journal.rows.size() == 1);
}

TEST_CASE("what the schema does not know ends the job at the first answer", "[real]") {
  Shop shop("refused");
  Manifest bad;
  std::string reason;
  SECTION("an unknown field") {
    Json object = must(plumb::json::parse(deployment("refused", 1).json));
    object["spec"]["replica"] = 1;
    bad = manifest_of(object);
    reason = ".spec.replica";
  }
  SECTION("a wrong type") {
    bad = deployment("refused", "three");
    reason = "replicas";
  }
  const auto outcome = shop.run({bad});
  CHECK(outcome.ending == Ending::failed);
  CHECK(outcome.code == Errc::invalid);
  CHECK(outcome.message.find(reason) != std::string::npos);
  CHECK(shop.log.count("apply Deployment") == 1);
}

TEST_CASE("a secret that the server refuses and quotes does not leave in the message", "[real]") {
  Shop shop("quoted");
  const std::string canary = "canary-0f9a-hunter2";
  Json object{{"apiVersion", "v1"},
              {"kind", "Secret"},
              {"metadata", {{"name", "s"}, {"namespace", "quoted"}}}};
  SECTION("a list where a text should be") {
    object["stringData"]["p"] = Json::array({canary});
  }
  SECTION("a map where a text should be") {
    object["stringData"]["p"] = {{"inner", canary}};
  }
  SECTION("no base64") {
    object["data"]["p"] = canary + "!";
  }
  const auto outcome = shop.run({manifest_of(object)});
  CHECK(outcome.ending == Ending::failed);
  CHECK(outcome.message.find("Secret quoted/s") != std::string::npos);
  CHECK(outcome.message.find(canary) == std::string::npos);
}

TEST_CASE("an object that kubectl applied by the client is taken over, dropped keys go", "[real]") {
  Shop shop("adopted");
  ControlPlane::shared().kubectl({"create", "ns", "adopted"});
  shop.kubectl({"apply", "-f", "-"}, R"({"apiVersion":"v1","kind":"ConfigMap",
      "metadata":{"name":"a","namespace":"adopted","labels":{"old":"yes"}},"data":{"key":"0","dropped":"x"}})");
  shop.kubectl({"label", "cm", "a", "of-a-person=kept"});
  const auto outcome = shop.run({shop.map("a")});
  CAPTURE(outcome.message);
  REQUIRE(outcome.ending == Ending::healthy);
  CHECK(shop.kubectl({"get", "cm", "a", "-o", "jsonpath={.data}"}) == R"({"key":"1"})");
  CHECK(shop.kubectl({"get", "cm", "a", "-o", "jsonpath={.metadata.labels}"}) ==
        R"({"of-a-person":"kept"})");
}

TEST_CASE("an account without rights is denied with what it lacks", "[real]") {
  ControlPlane::shared().kubectl({"create", "ns", "closed"});
  Shop shop("closed", ControlPlane::kNobodyToken);
  const auto outcome = shop.run({shop.map("a")});
  CHECK(outcome.ending == Ending::failed);
  CHECK(outcome.code == Errc::denied);
  CHECK(outcome.message.find("User \"nobody\" cannot patch resource \"configmaps\"") !=
        std::string::npos);
}

TEST_CASE("the cluster is known by the uid of kube-system", "[real]") {
  Shop shop("uid");
  CHECK(must(shop.cluster.uid()) ==
        ControlPlane::shared().kubectl(
            {"get", "ns", "kube-system", "-o", "jsonpath={.metadata.uid}"}));
}

TEST_CASE("a rollout is awaited by watch, also when the API server goes away meanwhile", "[real]") {
  Shop shop("rollout");
  bool restart = false;
  SECTION("it stays") {}
  SECTION("it is killed and comes back") {
    restart = true;
  }
  std::promise<void> watching;
  shop.cluster.before_watch = [&] { watching.set_value(); };
  auto run = std::async(std::launch::async, [&] { return shop.run({deployment("rollout", 1)}); });
  REQUIRE(watching.get_future().wait_for(60s) == std::future_status::ready);
  if (restart) {  // by this thread: the server dies with the thread that starts it
    ControlPlane::shared().stop_api_server();
    ControlPlane::shared().start_api_server();
  }
  shop.kubectl({"patch", "deployment", "web", "--subresource=status", "--type=merge", "-p", kWell});
  const auto outcome = run.get();
  CAPTURE(outcome.message);
  CHECK(outcome.ending == Ending::healthy);
  CHECK(shop.log.count("watch ") == 1);
  shop.kubectl({"delete", "deployment", "web"});
}

TEST_CASE("a rollout that does not come in time fails, and a newer commit ends the wait",
          "[real]") {
  Shop shop("stuck");
  SECTION("deadline") {
    shop.request.plan.application.health_timeout = 500ms;
    const auto outcome = shop.run({deployment("stuck", 1)});
    CHECK(outcome.ending == Ending::failed);
    CHECK(outcome.message.find("Deployment stuck/web: 0 of 1 replicas exist") != std::string::npos);
  }
  SECTION("newer commit") {
    shop.cluster.before_watch = [&] { shop.stop.request_stop(); };
    CHECK(shop.run({deployment("stuck", 1)}).ending == Ending::superseded);
  }
}
