#include "receiver/receiver.h"

#include "core/log.h"
#include "drivers/http/http.h"
#include "receiver/intake.h"

namespace plumb::receiver {
namespace {

/// Plain HTTP carries payloads for all to read: only to ourselves, or behind a proxy that ends TLS.
Result<> check_exposure(const config::HttpConfig& http) {
  if (http.tls_certificate.empty() != http.tls_key.empty()) {
    return fail(Errc::invalid, "spec.http.tls has only one of certificate and key");
  }
  const auto address = TRY(http::parse_address(http.listen));
  if (!http.tls_certificate.empty() || http.behind_trusted_proxy || http::is_loopback(address)) {
    return {};
  }
  return fail(
      Errc::invalid, "plain HTTP on '" + http.listen + "', which others can reach", "",
      "set spec.http.tls, or spec.http.trustedProxy: true when a proxy in front ends TLS, or "
      "listen on 127.0.0.1");
}

}  // namespace

struct Receiver::Impl {
  Intake intake;
  std::unique_ptr<http::Server> server{};  // after what it calls
};

Receiver::Receiver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Receiver::~Receiver() = default;

const std::string& Receiver::address() const {
  return impl_->server->address();
}

Result<std::unique_ptr<Receiver>> Receiver::start(const config::ServerConfig& config,
                                                  Accept accept,
                                                  std::function<bool()> ready,
                                                  Options options) {
  TRY_DOING("start the receiver", check_exposure(config.http));
  auto endpoints = TRY_DOING("start the receiver", Endpoints::open(config.repositories));
  const auto count = static_cast<std::int64_t>(endpoints.size());
  http::Options http;
  http.listen = config.http.listen;
  http.certificate = config.http.tls_certificate;
  http.key = config.http.tls_key;
  http.max_body = config.http.max_body_bytes;
  http.max_bodies = std::max<std::size_t>(http.max_bodies, 2 * http.max_body);
  http.head_time = options.head_time;
  http.total_time = options.total_time;
  http.pressed_time = options.pressed_time;
  std::unique_ptr<Impl> impl(
      new Impl{{std::move(endpoints), std::move(accept), std::move(ready), std::move(options)}});
  impl->server =
      TRY_DOING("start the receiver",
                http::Server::start(
                    std::move(http),
                    [raw = impl.get()](const auto& request) { return raw->intake.check(request); },
                    [raw = impl.get()](const auto& request, std::string_view body) {
                      return raw->intake.serve(request, body);
                    }));
  log::info("receiver.started", {{"address", impl->server->address()}, {"endpoints", count}});
  return std::unique_ptr<Receiver>(new Receiver(std::move(impl)));
}

}  // namespace plumb::receiver
