#include "drivers/kube/kubeconfig.h"

#include <sys/stat.h>

#include "drivers/crypto/crypto.h"
#include "tests/support/must.h"
#include "tests/support/temp_folder.h"

using namespace plumb;
using namespace plumb::kube;
using plumb::test::must;
using plumb::test::must_fail;
using plumb::test::TempFolder;

namespace {

std::string config_with(const std::string& cluster, const std::string& user) {
  return "apiVersion: v1\nkind: Config\ncurrent-context: main\n"
         "contexts:\n- {name: main, context: {cluster: c, user: u}}\n"
         "- {name: other, context: {cluster: c2, user: u2}}\n"
         "clusters:\n- {name: c, cluster: {" +
         cluster +
         "}}\n"
         "- {name: c2, cluster: {server: 'https://other:6443/'}}\n"
         "users:\n- {name: u, user: {" +
         user + "}}\n- {name: u2, user: {token: other-token}}\n";
}

}  // namespace

TEST_CASE("a kubeconfig's current context gives server, authority and client certificate") {
  const TempFolder folder;
  folder.write("pki/ca.pem", "CA PEM");
  const std::string path =
      folder.write("config", config_with("server: 'https://10.0.0.1:6443', certificate-authority: "
                                         "pki/ca.pem, tls-server-name: api.test",
                                         "client-certificate-data: " + crypto::base64("CERT") +
                                             ", client-key-data: " + crypto::base64("KEY")));
  const Access access = must(load_kubeconfig(path));
  CHECK(access.server == "https://10.0.0.1:6443");
  CHECK(access.ca_pem == "CA PEM");
  CHECK(access.client_certificate_pem == "CERT");
  CHECK(access.client_key_pem == "KEY");
  CHECK(access.tls_server_name == "api.test");
  CHECK_FALSE(access.insecure_skip_tls_verify);
  CHECK(access.origin == "context 'main' of '" + path + "'");
}

TEST_CASE("a named context wins over the current one") {
  const TempFolder folder;
  const std::string path = folder.write("config", config_with("server: 'https://a'", "token: t"));
  const Access access = must(load_kubeconfig(path, {"other", {}}));
  CHECK(access.server == "https://other:6443");
  CHECK(access.token == "other-token");
}

TEST_CASE("an unknown context is refused with the names there are") {
  const TempFolder folder;
  const std::string path = folder.write("config", config_with("server: 'https://a'", "token: t"));
  const Error error = must_fail(load_kubeconfig(path, {"prod", {}}));
  CHECK(error.code == Errc::invalid);
  CHECK(error.message.find("no context 'prod'") != std::string::npos);
  CHECK(error.hint == "it has: main, other");
}

TEST_CASE("what cannot be honoured is refused, not ignored") {
  const TempFolder folder;
  const auto refused = [&](const std::string& cluster, const std::string& user) {
    const Error error =
        must_fail(load_kubeconfig(folder.write("config", config_with(cluster, user))));
    CHECK(error.code == Errc::invalid);
    return error.message;
  };
  const std::string good = "server: 'https://a'";
  CHECK(refused(good, "username: root, password: x").find("'username' is not supported") !=
        std::string::npos);
  CHECK(refused(good, "auth-provider: {name: gcp}").find("'auth-provider'") != std::string::npos);
  CHECK(refused(good, "token: t, as: somebody").find("'as' is not supported") != std::string::npos);
  CHECK(refused(good, "client-certificate-data: QQ==").find("need each other") !=
        std::string::npos);
  CHECK(refused(good, "client-certificate-data: '%%%', client-key-data: QQ==").find("no base64") !=
        std::string::npos);
  CHECK(refused("server: 'ftp://a'", "token: t").find("no http or https") != std::string::npos);
  CHECK(refused(good + ", proxy-url: 'ssh://x'", "token: t").find("proxy-url") !=
        std::string::npos);
  CHECK(refused(good + ", insecure-skip-tls-verify: true, certificate-authority-data: QQ==",
                "token: t")
            .find("skips the check") != std::string::npos);
}

TEST_CASE("an exec plugin runs only when the operator listed its absolute path") {
  const TempFolder folder;
  const std::string user =
      "exec: {apiVersion: client.authentication.k8s.io/v1, command: /usr/bin/aws, args: [eks, "
      "get-token], "
      "env: [{name: AWS_PROFILE, value: prod}]}";
  const std::string path = folder.write("config", config_with("server: 'https://a'", user));
  const Error error = must_fail(load_kubeconfig(path));
  CHECK(error.message.find("'/usr/bin/aws', which is not allowed") != std::string::npos);
  CHECK(error.hint.find("allowExec") != std::string::npos);
  const Access access = must(load_kubeconfig(path, {"", {"/usr/bin/aws"}}));
  REQUIRE(access.exec.has_value());
  CHECK(access.exec->arguments == std::vector<std::string>{"eks", "get-token"});
  CHECK(access.exec->environment.front().second == "prod");
}

TEST_CASE("an exec plugin without an absolute path is refused even if listed so") {
  const TempFolder folder;
  const std::string path = folder.write(
      "config", config_with("server: 'https://a'",
                            "exec: {apiVersion: client.authentication.k8s.io/v1, command: aws}"));
  must_fail(load_kubeconfig(path, {"", {"aws"}}));
}

TEST_CASE("a kubeconfig that is missing, unreadable, no YAML or too large is named in the error") {
  const TempFolder folder;
  const Error missing = must_fail(load_kubeconfig(folder / "nothing"));
  CHECK(missing.code == Errc::invalid);
  CHECK(missing.message.find("cannot read '" + (folder / "nothing") + "': No such file") !=
        std::string::npos);
  CHECK(must_fail(load_kubeconfig(folder.path())).code == Errc::invalid);
  const Error broken =
      must_fail(load_kubeconfig(folder.write("bad", "token: s3cret-value\n\t- [")));
  CHECK(broken.message.find("not YAML") != std::string::npos);
  CHECK(broken.message.find("s3cret") == std::string::npos);
  CHECK(broken.where.find("bad") != std::string::npos);
  CHECK(must_fail(load_kubeconfig(folder.write("list", "[1]")))
            .message.find("not one YAML mapping") != std::string::npos);
  CHECK(must_fail(load_kubeconfig(folder.write("big", std::string(5U << 20U, '#'))))
            .message.find("larger") != std::string::npos);
}

TEST_CASE("in a pod the service account's files are used, and outside the error says what to do") {
  const TempFolder folder;
  folder.write("ca.crt", "CA");
  folder.write("token", "abc\n");
  const Access access = must(in_cluster_access("10.0.0.1", "443", folder.path()));
  CHECK(access.server == "https://10.0.0.1:443");
  CHECK(access.token_file == (folder / "token"));
  CHECK(must(in_cluster_access("fd00::1", "443", folder.path())).server == "https://[fd00::1]:443");
  CHECK(must_fail(in_cluster_access("", "", folder.path())).hint.find("kubeconfig") !=
        std::string::npos);
  CHECK(must_fail(in_cluster_access("10.0.0.1", "443", folder / "none")).code == Errc::invalid);
}
