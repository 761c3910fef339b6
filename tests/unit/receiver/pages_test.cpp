#include "tests/support/catch.h"
#include "tests/support/control_plane.h"
#include "tests/unit/receiver/sender.h"

using namespace plumb;        // NOLINT: tests
using namespace plumb::test;  // NOLINT: tests

namespace {

Result<std::unique_ptr<receiver::Receiver>> start(const config::ServerConfig& config) {
  return receiver::Receiver::start(
      config, [](const auto&, auto, const auto&) { return Result<receiver::Accepted>(); }, {});
}

}  // namespace

TEST_CASE("readyz says whether deliveries can be stored; healthz that somebody is there",
          "[receiver]") {
  Shop shop;
  CHECK(status_of(shop.get("/healthz")) == 200);
  CHECK(status_of(shop.get("/readyz")) == 200);
  shop.broken = true;
  CHECK(status_of(shop.get("/healthz")) == 200);
  CHECK(status_of(shop.get("/readyz")) == 503);
  CHECK(status_of(shop.get("/")) == 404);
  const std::string posted =
      ask(shop.receiver->address(), "POST /healthz HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
  CHECK(status_of(posted) == 405);
  CHECK(posted.find("Allow: GET, HEAD\r\n") != std::string::npos);
}

TEST_CASE("metrics count deliveries and show what the server knows", "[receiver]") {
  receiver::Options options;
  options.version = "1.2\n3";
  options.gauges = []() -> Result<receiver::Gauges> {
    return receiver::Gauges{{{"queued", 3}, {"done", 4}}, {{"healthy", 7}}};
  };
  Shop shop(options);
  shop.send({});
  shop.send({});
  shop.send({.secret = "wrong"});
  CHECK(shop.metric("plumb_deliveries_total{forge=\"gitea\",result=\"accepted\"}") == 1);
  CHECK(shop.metric("plumb_deliveries_total{forge=\"gitea\",result=\"duplicate\"}") == 1);
  CHECK(shop.metric("plumb_deliveries_total{forge=\"gitea\",result=\"refused\"}") == 1);
  CHECK(shop.metric("plumb_jobs{state=\"queued\"}") == 3);
  CHECK(shop.metric("plumb_apps{health=\"healthy\"}") == 7);
  CHECK(shop.metric("plumb_build_info{version=\"1.2?3\"}") == 1);
  CHECK(shop.get("/metrics").find("text/plain; version=0.0.4") != std::string::npos);
}

TEST_CASE("metrics without their source still show the receiver's own", "[receiver]") {
  receiver::Options options;
  options.gauges = []() -> Result<receiver::Gauges> { return fail(Errc::unavailable, "busy"); };
  Shop shop(options);
  CHECK(status_of(shop.get("/metrics")) == 200);
  CHECK(shop.metric("plumb_jobs{state=\"queued\"}") == -1);
}

TEST_CASE("plain HTTP for others to reach needs TLS or a named proxy", "[receiver]") {
  config::ServerConfig config;
  config.http.listen = "0.0.0.0:0";
  const Error error = must_fail(start(config));
  CHECK(error.code == Errc::invalid);
  CHECK(error.hint.find("trustedProxy") != std::string::npos);
  config.http.behind_trusted_proxy = true;
  CHECK(must(start(config))->address().starts_with("0.0.0.0:"));
  config.http.behind_trusted_proxy = false;
  TempFolder folder;
  const Pem made = make_certificate(make_authority("test"), "plumbd", "", true);
  config.http.tls_certificate = folder.write("cert.pem", made.certificate);
  CHECK(must_fail(start(config)).code == Errc::invalid);
  config.http.tls_key = folder.write("key.pem", made.key);
  CHECK(must(start(config))->address().starts_with("0.0.0.0:"));
}

TEST_CASE("an endpoint whose secret is missing stops the start", "[receiver]") {
  config::ServerConfig config;
  config::RepositoryBinding shop;
  shop.name = "shop";
  shop.webhooks = {{kGitea, config::Provider::gitea, {}}};
  config.repositories = {shop};
  CHECK(must_fail(start(config)).message.find("no secret") != std::string::npos);
  config.repositories[0].webhooks[0].secrets = {{"/nowhere/secret", ""}};
  const Error error = must_fail(start(config));
  CHECK(error.message.find("/nowhere/secret") != std::string::npos);
  CHECK(error.message.find("shop") != std::string::npos);
}
