/// The real cluster class against servers that answer badly.
#include <atomic>

#include "tests/support/fault_server.h"
#include "tests/unit/apply/kube_server.h"

using namespace plumb;
using namespace plumb::test;
using namespace std::chrono_literals;

namespace {

using Answer = FaultServer::Answer;

/// Answers of the API server to one PATCH after another; the last one for all that follow.
struct Patches {
  explicit Patches(std::vector<Answer> the_answers)
      : answers(std::move(the_answers)),
        server([this](const std::string& request) {
          if (const auto known = discovery(request)) return *known;
          return answers[std::min(count++, answers.size() - 1)];
        }),
        cluster(cluster_of(server)) {}

  Outcome run(const Manifest& manifest) {
    ApplyRequest request;
    request.plan.objects = {manifest};
    return apply::apply_plan(request, *cluster, journal, {});
  }

  std::vector<Answer> answers;
  std::atomic<std::size_t> count{0};  // of the server's thread; read after the run
  FaultServer server;
  std::unique_ptr<apply::KubeCluster> cluster;
  Log log;
  MemoryJournal journal{log};
};

Answer good() {
  return {FaultServer::http("201 Created", R"({"metadata":{"uid":"u1","resourceVersion":"5"}})",
                            "Audit-Id: audit-7\r\n")};
}

Answer status_of(const std::string& line,
                 const std::string& message,
                 const std::string& headers = {}) {
  return {FaultServer::http(
      line, Json{{"kind", "Status"}, {"status", "Failure"}, {"message", message}}.dump(), headers)};
}

}  // namespace

TEST_CASE("a good answer is recorded with its uid, version and audit id", "[faults]") {
  Patches patches({good()});
  const auto outcome = patches.run(config_map("a"));
  CHECK(outcome.ending == Ending::healthy);
  CHECK(outcome.counts.created == 1);
  CHECK(patches.journal.rows.at("/ConfigMap/shop/a").uid == "u1");
  CHECK(patches.journal.audit_ids == std::vector<std::string>{"audit-7"});
  const std::string request = patches.server.requests().back();
  CHECK(request.starts_with(
      "PATCH /api/v1/namespaces/shop/configmaps/a?fieldManager=plumbline&force=true"));
  CHECK(request.find("application/apply-patch+yaml") != std::string::npos);
}

TEST_CASE("the server's 500 for a schema error is permanent", "[faults]") {
  Patches patches({status_of("500 Internal Server Error",
                             "failed to create typed patch object (shop/web; apps/v1, "
                             "Kind=Deployment): .spec.x: field not "
                             "declared in schema")});
  const auto outcome = patches.run(config_map("a"));
  CHECK(outcome.ending == Ending::failed);
  CHECK(outcome.code == Errc::invalid);
  CHECK(outcome.message.find("field not declared in schema") != std::string::npos);
  CHECK(patches.count == 1);
}

TEST_CASE("any other 500 is tried again", "[faults]") {
  Patches patches({status_of("500 Internal Server Error", "etcdserver: leader changed"), good()});
  CHECK(patches.run(config_map("a")).ending == Ending::healthy);
  CHECK(patches.count == 2);
}

TEST_CASE("a Retry-After is kept before the next call", "[faults]") {
  Patches patches({status_of("429 Too Many Requests", "slow down", "Retry-After: 1\r\n"), good()});
  const auto before = std::chrono::steady_clock::now();
  CHECK(patches.run(config_map("a")).ending == Ending::healthy);
  CHECK(std::chrono::steady_clock::now() - before >= 1s);
  CHECK(patches.count == 2);
}

TEST_CASE("a Retry-After that is longer than the call may last gives the job back", "[faults]") {
  Patches patches({status_of("429 Too Many Requests", "slow down", "Retry-After: 600\r\n")});
  const auto before = std::chrono::steady_clock::now();
  const auto outcome = patches.run(config_map("a"));
  CHECK(outcome.ending == Ending::retry);
  CHECK(outcome.code == Errc::unavailable);
  CHECK(std::chrono::steady_clock::now() - before < 10s);
  CHECK(patches.count == 1);
}

TEST_CASE("half a body, no answer and rubbish are tried again", "[faults]") {
  Answer bad;
  SECTION("half a body") {
    bad.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"meta";
  }
  SECTION("closed without a word") {
    bad.bytes = "";
  }
  SECTION("no object") {
    bad.bytes = FaultServer::http("200 OK", "<html>proxy</html>");
  }
  SECTION("503") {
    bad.bytes = FaultServer::http("503 Service Unavailable", "");
  }
  Patches patches({bad, bad, good()});
  CHECK(patches.run(config_map("a")).ending == Ending::healthy);
  CHECK(patches.count == 3);
}

TEST_CASE("a server that stays away ends as a retry, not as a failure", "[faults]") {
  Patches patches({Answer{FaultServer::http("503 Service Unavailable", "")}});
  const auto outcome = patches.run(config_map("a"));
  CHECK(outcome.ending == Ending::retry);
  CHECK(outcome.code == Errc::unavailable);
  CHECK(patches.count == 4);
}

TEST_CASE("secret values that the server quotes are taken out of its message", "[faults]") {
  const std::string canary = "canary-s3cret-77";
  const std::string coded = crypto::base64(canary);
  Patches patches(
      {status_of("422 Unprocessable Entity", "Secret \"a\" is invalid: data: " + coded +
                                                 ": and plain " + canary + " refused")});
  const Manifest secret = manifest_of({{"apiVersion", "v1"},
                                       {"kind", "Secret"},
                                       {"metadata", {{"name", "a"}, {"namespace", "shop"}}},
                                       {"data", {{"password", coded}}}});
  const auto outcome = patches.run(secret);
  CHECK(outcome.ending == Ending::failed);
  CHECK(outcome.message.find("refused") != std::string::npos);
  CHECK(outcome.message.find(canary) == std::string::npos);
  CHECK(outcome.message.find(coded) == std::string::npos);
}

TEST_CASE("a kind that the cluster does not have is the author's mistake", "[faults]") {
  Patches patches({good()});
  const auto outcome = patches.run(simple("example.org/v1", "Widget", "w", "shop"));
  CHECK(outcome.ending == Ending::failed);
  CHECK(outcome.message.find("the cluster has no kind Widget in example.org/v1") !=
        std::string::npos);
  CHECK(patches.count == 0);
}
