#include "config/server_config.h"

#include <sys/stat.h>

#include "tests/support/must.h"
#include "tests/support/temp_folder.h"

using namespace plumb;
using namespace plumb::test;
using namespace std::chrono_literals;

namespace {

const std::string kHead = "apiVersion: plumbline.dev/v1\nkind: Server\nspec:\n";
const std::string kClusters = "  clusters: [{name: eu-1}]\n";

Result<config::ServerConfig> load(const std::string& text) {
  const TempFolder folder;
  return config::load_server_config(folder.write("plumbd.yaml", text));
}

/// The problems of a file, "line message / hint".
std::vector<std::string> problems(const std::string& text) {
  const TempFolder folder;
  std::vector<std::string> all;
  const std::string file = folder.write("plumbd.yaml", text);
  for (const auto& problem : config::check_server_config(file)) {
    CHECK(problem.where.starts_with(file));
    const auto line = problem.where.substr(file.size() + 1);
    all.push_back(line.substr(0, line.find(':')) + " " + problem.message +
                  (problem.hint.empty() ? "" : " / " + problem.hint));
  }
  return all;
}

std::vector<std::string> spec_problems(const std::string& spec) {
  return problems(kHead + "  data: d\n" + kClusters + spec);
}

std::string only(const std::vector<std::string>& all) {
  REQUIRE(all.size() == 1);
  return all[0];
}

}  // namespace

TEST_CASE("the smallest server file has a data folder and one cluster") {
  const auto server = must(load(kHead + "  data: /var/lib/plumbline/\n" + kClusters));
  CHECK(server.data_dir == "/var/lib/plumbline");
  CHECK(server.socket.empty());
  CHECK(server.http.listen.empty());
  CHECK(server.workers == 4);
  CHECK(server.lease == 30s);
  CHECK(server.retention_days == 90);
  CHECK(server.repositories.empty());
}

TEST_CASE("every key of the server file is read") {
  const TempFolder folder;
  const std::string file = folder.write("etc/plumbd.yaml", kHead + R"(
  data: ../data
  socket: /run/p.sock
  engines: bin/plumb-engines
  http:
    listen: 0.0.0.0:8080
    tls: {certificate: cert.pem, key: /k/key.pem}
    maxBodyMB: 2
  clusters:
    - {name: eu-1, kubeconfig: eu.kubeconfig, context: admin, allowExec: [/usr/bin/aws]}
    - {name: eu-2}
  repositories:
    - name: shop
      path: ../git/shop.git
      project: team
      admin: true
      branches: [main, release/1]
      clusters: [eu-1]
      namespaces: ["shop-*"]
      kinds: ["apps/*", "/ConfigMap"]
      environments: {dev: {namespace: shop-dev}}
      hooks: {whenDown: accept, deadline: 5s, onDeadline: accept, wait: 1m}
      webhooks:
        - id: 3b9f0c2e7d1a4f5b8c6d
          provider: github
          secrets: [{file: hook.secret}, {env: HOOK_SECRET}]
          repositories: [shop/deploy]
  access: {writers: [1000, 1001]}
  workers: 8
  lease: 10s
  scanInterval: 1m
  retentionDays: 7
)");
  const auto server = must(config::load_server_config(file));
  CHECK(server.data_dir == folder / "data");
  CHECK(server.socket == "/run/p.sock");
  CHECK(server.engines == folder / "etc/bin/plumb-engines");
  CHECK(server.http.listen == "0.0.0.0:8080");
  CHECK(server.http.tls_certificate == folder / "etc/cert.pem");
  CHECK(server.http.tls_key == "/k/key.pem");
  CHECK(server.http.max_body_bytes == 2U << 20U);
  REQUIRE(server.clusters.size() == 2);
  CHECK(server.clusters[0].kubeconfig == folder / "etc/eu.kubeconfig");
  CHECK(server.clusters[0].allow_exec == std::vector<std::string>{"/usr/bin/aws"});
  REQUIRE(server.repositories.size() == 1);
  const config::RepositoryBinding& shop = server.repositories[0];
  CHECK(shop.path == folder / "git/shop.git");
  CHECK(shop.project == "team");
  CHECK(shop.admin);
  CHECK(shop.branches == std::vector<std::string>{"main", "release/1"});
  CHECK(shop.clusters == std::vector<std::string>{"eu-1"});
  CHECK(shop.kinds.size() == 2);
  CHECK(shop.environments.at("dev").cluster == "eu-1");
  CHECK(shop.environments.at("dev").ns == "shop-dev");
  CHECK(shop.when_down == config::WhenDown::accept);
  CHECK(shop.hooks_deadline == 5s);
  CHECK(shop.on_deadline == config::WhenDown::accept);
  CHECK(shop.hooks_wait == 1min);
  REQUIRE(shop.webhooks.size() == 1);
  CHECK(shop.webhooks[0].provider == config::Provider::github);
  CHECK(shop.webhooks[0].secrets[0].file == folder / "etc/hook.secret");
  CHECK(shop.webhooks[0].secrets[1].env == "HOOK_SECRET");
  CHECK(shop.webhook_repositories == std::vector<std::string>{"shop/deploy"});
  CHECK(server.writers == std::vector<uid_t>{1000, 1001});
  CHECK(server.workers == 8);
  CHECK(server.scan_interval == 1min);
  CHECK(server.retention_days == 7);
}

TEST_CASE("all problems of a server file are listed, in order, each with the next step") {
  const auto all = problems(
      kHead + "  data: d\n  worker: 3\n  clusters: [{name: eu-1, contxt: a}]\n  lease: 1s\n");
  CHECK(all == std::vector<std::string>{
                   "5 unknown key \"worker\" in spec / did you mean \"workers\"?",
                   "6 unknown key \"contxt\" in spec.clusters[0] / did you mean \"context\"?",
                   "7 spec.lease must be a time of 5s to 10m / write it as  90s, 5m or 1h"});
  const Error first = must_fail(load(kHead + "  data: d\n  worker: 3\n" + kClusters));
  CHECK(first.code == Errc::invalid);
  CHECK(first.message == "unknown key \"worker\" in spec");
  CHECK(first.where.find("plumbd.yaml:5:3") != std::string::npos);
}

TEST_CASE("a repository may be bound only to clusters of the file, and must say which of several") {
  const std::string two =
      kHead + "  data: d\n  clusters: [{name: eu-1}, {name: eu-2}]\n  repositories:\n  - ";
  CHECK(only(problems(two + "{name: a, path: a}\n")).find("\"clusters\" is missing") !=
        std::string::npos);
  CHECK(only(problems(two + "{name: a, path: a, clusters: [eu1]}\n")) ==
        "7 no cluster \"eu1\" in this file / did you mean \"eu-1\"?");
  CHECK(only(problems(two + "{name: a, path: a, clusters: []}\n")).find("deploy nowhere") !=
        std::string::npos);
  CHECK(
      only(problems(two +
                    "{name: a, path: a, clusters: [eu-1], environments: {dev: {cluster: eu-2}}}\n"))
          .find("may not use cluster") != std::string::npos);
  CHECK(only(problems(two +
                      "{name: a, path: a, clusters: [eu-1], namespaces: [a-*], environments: {dev: "
                      "{namespace: b}}}\n"))
            .find("may not use namespace") != std::string::npos);
}

TEST_CASE("names and paths of repositories are their own") {
  const std::string repositories = "  repositories:\n  - {name: a, path: /g/a}\n  - ";
  CHECK(only(spec_problems(repositories + "{name: a, path: /g/b}\n"))
            .find("two repositories are called") != std::string::npos);
  CHECK(only(spec_problems(repositories + "{name: b, path: /g/x/../a/}\n"))
            .find("two repositories have the path") != std::string::npos);
  CHECK(only(spec_problems(repositories + "{name: B, path: /g/b}\n"))
            .find("no name of a repository") != std::string::npos);
  CHECK(only(spec_problems(repositories + "{name: b}\n")).find("\"path\" is missing") !=
        std::string::npos);
  CHECK(only(spec_problems(repositories + "{name: b, path: /g/b, branches: [refs/heads/main]}\n"))
            .find("did you mean \"main\"?") != std::string::npos);
  CHECK(only(spec_problems(repositories + "{name: b, path: /g/b, branches: ['a..b']}\n"))
            .find("no branch name") != std::string::npos);
  CHECK(only(spec_problems(repositories + "{name: b, path: /g/b, kinds: [Deployment]}\n"))
            .find("group/Kind") != std::string::npos);
}

TEST_CASE("plain HTTP is for the loopback, or behind a proxy that is named") {
  CHECK(spec_problems("  http: {listen: 127.0.0.1:0}\n").empty());
  CHECK(spec_problems("  http: {listen: '[::1]:80'}\n").empty());
  CHECK(spec_problems("  http: {listen: 0.0.0.0:80, trustedProxy: true}\n").empty());
  CHECK(only(spec_problems("  http: {listen: 0.0.0.0:80}\n")).find("open to the network") !=
        std::string::npos);
  CHECK(only(spec_problems("  http: {listen: 127.0.0.1.example.org:80}\n"))
            .find("open to the network") != std::string::npos);
  CHECK(only(spec_problems("  http: {listen: '80'}\n")).find("no address:port") !=
        std::string::npos);
  CHECK(only(spec_problems("  http: {listen: 127.0.0.1:80, tls: {key: k}}\n"))
            .find("\"certificate\" is missing") != std::string::npos);
}

TEST_CASE("webhooks need an id that cannot be guessed and secrets by reference") {
  const auto with = [](const std::string& webhook) {
    return spec_problems("  repositories:\n  - name: a\n    path: /g/a\n    webhooks: [" + webhook +
                         "]\n");
  };
  CHECK(only(with("{id: short, provider: gitea, secrets: [{env: A}]}")).find("openssl rand") !=
        std::string::npos);
  CHECK(only(with("{id: 3b9f0c2e7d1a4f5b8c6d, provider: gitlab, secrets: [{env: A}]}"))
            .find("gitea or github") != std::string::npos);
  CHECK(only(with("{id: 3b9f0c2e7d1a4f5b8c6d, provider: gitea, secrets: []}")).find("is empty") !=
        std::string::npos);
  const std::string said =
      only(with("{id: 3b9f0c2e7d1a4f5b8c6d, provider: gitea, secrets: [{env: A, file: b}]}"));
  CHECK(said.find("one of file and env") != std::string::npos);
  const auto value =
      with("{id: 3b9f0c2e7d1a4f5b8c6d, provider: gitea, secrets: [hunter2-hunter2]}");
  for (const std::string& problem : value) CHECK(problem.find("hunter2") == std::string::npos);
  CHECK_FALSE(value.empty());
  CHECK(only(with("{id: 3b9f0c2e7d1a4f5b8c6d, provider: gitea, secrets: [{env: A}]}, {id: "
                  "3b9f0c2e7d1a4f5b8c6d, "
                  "provider: gitea, secrets: [{env: A}]}"))
            .find("two webhooks have this id") != std::string::npos);
}

TEST_CASE("a file that is missing, broken, too large or of another kind is said so") {
  CHECK(
      must_fail(config::load_server_config("/nowhere/plumbd.yaml")).message.find("No such file") !=
      std::string::npos);
  CHECK(must_fail(load("a: [")).where.find(":") != std::string::npos);
  CHECK(must_fail(load("")).message.find("one document") != std::string::npos);
  CHECK(must_fail(load(kHead + "  data: d\n" + kClusters + "---\nb: 1\n"))
            .message.find("this one 2") != std::string::npos);
  CHECK(must_fail(load(std::string((1U << 20U) + 1, '#'))).message.find("larger than 1 MB") !=
        std::string::npos);
  CHECK(must_fail(load("apiVersion: plumbline.dev/v2\nkind: Server\nspec: {data: d, clusters: "
                       "[{name: a}]}\n"))
            .message.find("plumbline.dev/v1") != std::string::npos);
  CHECK(only(problems(kHead + "  data: /" + std::string(120, 'd') + "\n" + kClusters))
            .find("longer than 107") != std::string::npos);
}

TEST_CASE("a secret is read now, from a file that only its owner may write") {
  const TempFolder folder;
  const std::string file = folder.write("s", "sesame\n");
  ::chmod(file.c_str(), 0600);
  CHECK(must(config::read_secret({file, ""})) == "sesame");
  ::chmod(file.c_str(), 0622);
  CHECK(must_fail(config::read_secret({file, ""})).hint == "chmod 600 " + file);
  CHECK(must_fail(config::read_secret({folder.write("empty", "\n"), ""})).code == Errc::invalid);
  CHECK(must_fail(config::read_secret({folder / "nowhere", ""})).code == Errc::invalid);
  CHECK(must_fail(config::read_secret({folder.path(), ""})).message.find("is no file") !=
        std::string::npos);
  ::setenv("PLUMB_TEST_SECRET", "open", 1);
  CHECK(must(config::read_secret({"", "PLUMB_TEST_SECRET"})) == "open");
  CHECK(must_fail(config::read_secret({"", "PLUMB_TEST_NOTHING"})).code == Errc::invalid);
}
