#include "drivers/kube/client.h"

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "drivers/kube/errors.h"
#include "drivers/kube/kinds.h"
#include "tests/support/fault_server.h"
#include "tests/support/must.h"
#include "tests/support/temp_folder.h"

using namespace plumb;
using namespace plumb::kube;
using namespace std::chrono_literals;
using plumb::test::FaultServer;
using plumb::test::must;
using plumb::test::must_fail;

namespace {

std::unique_ptr<Client> client_of(const FaultServer& server) {
  Access access;
  access.server = server.url();
  access.origin = "a test";
  access.token = "sesame";
  return must(Client::open(access));
}

Request get(const std::string& path) {
  Request request;
  request.path = path;
  return request;
}

}  // namespace

TEST_CASE("an answer comes back with what the caller needs of its headers") {
  FaultServer server([](const std::string&) {
    return FaultServer::Answer{FaultServer::http(
        "429 Too Many Requests", "{}",
        "Audit-Id: 1234-abcd\r\nretry-after: 7\r\nWarning: 299 - \"old API\"\r\n")};
  });
  const auto client = client_of(server);
  const Response response = must(client->call(get("/x")));
  CHECK(response.status == 429);
  CHECK(response.audit_id == "1234-abcd");
  CHECK(response.retry_after == 7s);
  REQUIRE(response.warnings.size() == 1);
  CHECK(response.warnings[0] == "299 - \"old API\"");
  const std::string request = server.requests().at(0);
  CHECK(request.find("GET /x HTTP/1.1") == 0);
  CHECK(request.find("Authorization: Bearer sesame") != std::string::npos);
  CHECK(request.find("Expect:") == std::string::npos);
}

TEST_CASE("half a body is unavailable, never a short answer") {
  FaultServer server([](const std::string&) {
    return FaultServer::Answer{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"half\":"};
  });
  const Error error = must_fail(client_of(server)->call(get("/x")));
  CHECK(error.code == Errc::unavailable);
  CHECK(error.message.find("broke off") != std::string::npos);
}

TEST_CASE("a connection that closes without a word is unavailable") {
  FaultServer server([](const std::string&) { return FaultServer::Answer{}; });
  CHECK(must_fail(client_of(server)->call(get("/x"))).code == Errc::unavailable);
}

TEST_CASE("a server that never answers costs the call its own deadline") {
  FaultServer server([](const std::string&) { return FaultServer::Answer{"", true}; });
  Request request = get("/x");
  request.timeout = 100ms;
  const Error error = must_fail(client_of(server)->call(request));
  CHECK(error.code == Errc::unavailable);
  CHECK(error.message.find("no answer in time") != std::string::npos);
}

TEST_CASE("an answer past the cap is cut off") {
  FaultServer server([](const std::string&) {
    return FaultServer::Answer{FaultServer::http("200 OK", std::string(5000, 'x'))};
  });
  Request request = get("/big?token=1");
  request.max_response_bytes = 1000;
  const Error error = must_fail(client_of(server)->call(request));
  CHECK(error.code == Errc::fault);
  CHECK(error.message.find("GET /big is larger") != std::string::npos);
}

TEST_CASE("redirects are not followed") {
  FaultServer server([](const std::string&) {
    return FaultServer::Answer{FaultServer::http("302 Found", "", "Location: /elsewhere\r\n")};
  });
  const Response response = must(client_of(server)->call(get("/x")));
  CHECK(response.status == 302);
  CHECK(must_fail(check(response)).code == Errc::unavailable);
  CHECK(server.requests().size() == 1);
}

TEST_CASE("a proxy of the environment is not used, one of the kubeconfig is") {
  FaultServer server(
      [](const std::string&) { return FaultServer::Answer{FaultServer::http("200 OK", "{}")}; });
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  CHECK(must(client_of(server)->call(get("/direct"))).status == 200);
  ::unsetenv("http_proxy");
  Access access;
  access.server = "http://cluster.invalid:6443";
  access.proxy_url = server.url();
  CHECK(must(must(Client::open(access))->call(get("/proxied"))).status == 200);
  CHECK(server.requests().at(1).find("GET http://cluster.invalid:6443/proxied") == 0);
}

TEST_CASE("nobody listening is unavailable, and says where") {
  Access access;
  access.server = "http://127.0.0.1:1";
  const Error error = must_fail(must(Client::open(access))->call(get("/x")));
  CHECK(error.code == Errc::unavailable);
  CHECK(error.message.find("http://127.0.0.1:1: no connection") != std::string::npos);
}

TEST_CASE("one connection serves many calls") {
  FaultServer server([](const std::string&) {
    return FaultServer::Answer{FaultServer::http("200 OK", "{}"), false, true};
  });
  const auto client = client_of(server);
  for (int i = 0; i < 10; ++i) CHECK(must(client->call(get("/x"))).status == 200);
  CHECK(server.connections() == 1);
}

TEST_CASE("after a Retry-After the next call waits, or fails at once if its deadline is nearer") {
  int calls = 0;
  FaultServer server([&](const std::string&) {
    return FaultServer::Answer{
        ++calls == 1 ? FaultServer::http("429 Too Many Requests", "{}", "Retry-After: 3600\r\n")
                     : FaultServer::http("200 OK", "{}")};
  });
  const auto client = client_of(server);
  CHECK(must(client->call(get("/x"))).status == 429);
  Request soon = get("/y");
  soon.timeout = 5s;
  const Error error = must_fail(client->call(soon));
  CHECK(error.code == Errc::unavailable);
  CHECK(server.requests().size() == 1);
}

TEST_CASE("a token file's new token is tried when the old one is refused") {
  const test::TempFolder folder;
  FaultServer server([&](const std::string& request) {
    if (request.find("Bearer new") != std::string::npos)
      return FaultServer::Answer{FaultServer::http("200 OK", "{}")};
    folder.write("token", "new");
    return FaultServer::Answer{FaultServer::http("401 Unauthorized", "{}")};
  });
  Access access;
  access.server = server.url();
  access.token_file = folder.write("token", "old");
  const auto client = must(Client::open(access));
  CHECK(must(client->call(get("/x"))).status == 200);
  CHECK(server.requests().size() == 2);
}

TEST_CASE("a stream gives its lines as they come and then its end") {
  FaultServer server([](const std::string&) {
    return FaultServer::Answer{FaultServer::http("200 OK", "{\"a\":1}\n\n{\"b\":2}\nrest")};
  });
  const auto client = client_of(server);
  std::mutex mutex;
  std::condition_variable more;
  std::vector<std::string> lines;
  bool ended = false;
  const auto stream = must(client->stream(
      get("/watch"),
      [&](std::string_view line) {
        const std::scoped_lock lock(mutex);
        lines.emplace_back(line);
      },
      [&](Result<Response> end) {
        const std::scoped_lock lock(mutex);
        ended = end.has_value() && end->status == 200;
        more.notify_one();
      }));
  std::unique_lock lock(mutex);
  REQUIRE(more.wait_for(lock, 10s, [&] { return ended; }));
  CHECK(lines == std::vector<std::string>{"{\"a\":1}", "{\"b\":2}"});
}

TEST_CASE("a stream that is let go calls back no more, and the client closes while one hangs") {
  FaultServer server([](const std::string&) {
    return FaultServer::Answer{"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nfirst\n", true};
  });
  const auto client = client_of(server);
  std::mutex mutex;
  std::condition_variable more;
  int lines = 0;
  bool ended = false;
  auto stream = must(client->stream(
      get("/watch"),
      [&](std::string_view) {
        const std::scoped_lock lock(mutex);
        ++lines;
        more.notify_one();
      },
      [&](Result<Response>) { ended = true; }));
  {
    std::unique_lock lock(mutex);
    REQUIRE(more.wait_for(lock, 10s, [&] { return lines == 1; }));
  }
  stream.reset();
  CHECK_FALSE(ended);
}

TEST_CASE("garbage instead of discovery is unavailable, and an old server is named") {
  std::atomic<bool> old{false};
  FaultServer server([&](const std::string&) {
    const std::string body = old ? R"({"kind":"APIVersions","versions":["v1"]})" : "<html>";
    return FaultServer::Answer{FaultServer::http("200 OK", body)};
  });
  const auto client = client_of(server);
  Kinds kinds(*client);
  CHECK(must_fail(kinds.find("v1", "ConfigMap")).code == Errc::unavailable);
  old = true;
  const Error error = must_fail(kinds.find("v1", "ConfigMap"));
  CHECK(error.code == Errc::invalid);
  CHECK(error.hint.find("1.27") != std::string::npos);
}
