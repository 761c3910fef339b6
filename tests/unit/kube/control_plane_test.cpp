#include "tests/support/control_plane.h"

#include "drivers/kube/client.h"
#include "drivers/kube/errors.h"
#include "drivers/kube/kinds.h"
#include "drivers/kube/schema_snapshot.h"
#include "tests/support/must.h"

using namespace plumb;
using namespace plumb::kube;
using plumb::test::ControlPlane;
using plumb::test::must;
using plumb::test::must_fail;

namespace {

Access token_access(const std::string& token) {
  Access access;
  access.server = ControlPlane::shared().server();
  access.ca_pem = ControlPlane::shared().ca_pem();
  access.origin = "a test";
  access.token = token;
  return access;
}

Result<Response> ask(const Access& access, const std::string& path) {
  const auto client = must(Client::open(access));
  Request request;
  request.path = path;
  return client->call(request);
}

}  // namespace

TEST_CASE("a kubeconfig with a client certificate opens a real API server") {
  const Access access = must(load_kubeconfig(ControlPlane::shared().kubeconfig()));
  CHECK(must(ask(access, "/readyz")).status == 200);
  const Response denied = must(ask(token_access(ControlPlane::kNobodyToken), "/api/v1/secrets"));
  CHECK(denied.status == 403);
  const Error error = must_fail(check(denied));
  CHECK(error.code == Errc::denied);
  CHECK(error.message.find("User \"nobody\" cannot list resource \"secrets\"") !=
        std::string::npos);
}

TEST_CASE("a token that the server does not know is denied with what to renew") {
  const Error error = must_fail(check(must(ask(token_access("expired"), "/api"))));
  CHECK(error.code == Errc::denied);
  CHECK(error.message.find("refuses our credential (401)") != std::string::npos);
  CHECK(error.hint.find("renew the token") != std::string::npos);
}

TEST_CASE("a server that another authority vouches for is not talked to") {
  Access access = token_access(ControlPlane::kAdminToken);
  access.ca_pem = test::make_authority("somebody else").certificate;
  const Error error = must_fail(ask(access, "/readyz"));
  CHECK(error.code == Errc::unavailable);
  CHECK(error.message.find("certificate is not to be trusted") != std::string::npos);
  CHECK(error.hint.find("a test") != std::string::npos);
  access.insecure_skip_tls_verify = true;
  CHECK(must(ask(access, "/readyz")).status == 200);
}

TEST_CASE("the name in the certificate is checked, and tls-server-name says which") {
  Access access = token_access(ControlPlane::kAdminToken);
  access.tls_server_name = "kubernetes.test";
  CHECK(must(ask(access, "/readyz")).status == 200);
  access.tls_server_name = "elsewhere.test";
  CHECK(must_fail(ask(access, "/readyz")).message.find("not to be trusted") != std::string::npos);
}

TEST_CASE("kinds are found by discovery, with plural and scope") {
  const auto client = must(Client::open(token_access(ControlPlane::kAdminToken)));
  Kinds kinds(*client);
  const auto deployment = must(kinds.find("apps/v1", "Deployment"));
  REQUIRE(deployment.has_value());
  CHECK(deployment->plural == "deployments");
  CHECK(deployment->namespaced);
  CHECK(must(path_of(*deployment, "shop", "web")) ==
        "/apis/apps/v1/namespaces/shop/deployments/web");
  CHECK(must_fail(path_of(*deployment, "", "web")).code == Errc::invalid);
  const auto ns = must(kinds.find("v1", "Namespace"));
  REQUIRE(ns.has_value());
  CHECK(must(path_of(*ns, "ignored", "shop")) == "/api/v1/namespaces/shop");
  CHECK_FALSE(must(kinds.find("example.org/v1", "Widget")).has_value());
}

TEST_CASE(
    "the schema snapshot holds every group version, and costs one look when nothing changed") {
  const auto client = must(Client::open(token_access(ControlPlane::kAdminToken)));
  const auto first = must(fetch_schema(*client, nullptr));
  CHECK(first->version.find("1.") == 0);
  CHECK(first->documents.size() > 20);
  bool core = false;
  for (const SchemaDocument& document : first->documents) {
    REQUIRE(document.text != nullptr);
    core = core || (document.path == "api/v1" &&
                    document.text->find("io.k8s.api.core.v1.Pod") != std::string::npos);
  }
  CHECK(core);
  CHECK(first->discovery_core.find("APIGroupDiscoveryList") != std::string::npos);
  CHECK(must(fetch_schema(*client, first)) == first);

  // A document whose hash is known is shared, not fetched again.
  auto older = std::make_shared<SchemaSnapshot>(*first);
  older->key = "older";
  older->documents.erase(older->documents.begin());
  const auto second = must(fetch_schema(*client, older));
  CHECK(second->key == first->key);
  CHECK(second->documents.at(1).text == first->documents.at(1).text);
  CHECK(second->documents.at(0).text != first->documents.at(0).text);
}
