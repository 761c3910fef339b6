#include "receiver/intake.h"

#include <algorithm>

#include "core/failpoint.h"
#include "core/log.h"
#include "core/text.h"
#include "drivers/crypto/crypto.h"
#include "receiver/payload.h"
#include "receiver/signature.h"

namespace plumb::receiver {
namespace {

constexpr std::string_view kHooks = "/hooks/";
constexpr std::size_t kLarge = 1U << 20U;
constexpr std::chrono::seconds kTellEvery{10};
const std::string kNoObject(40, '0');

bool is_hook(const http::Request& request) {
  return request.path.starts_with(kHooks);
}

std::string_view endpoint_id(const http::Request& request) {
  return std::string_view(request.path).substr(kHooks.size());
}

bool is_page(std::string_view path) {
  return path == "/healthz" || path == "/readyz" || path == "/metrics";
}

http::Response json_answer(int status, const std::string& name, const std::string& text) {
  http::Response made;
  made.status = status;
  made.body = "{\"" + name + "\":\"" + json_escaped(text) + "\"}\n";
  return made;
}

http::Response wrong_method(const std::string& allowed) {
  auto made = json_answer(405, "error", "only " + allowed);
  made.headers.emplace_back("Allow", allowed);
  return made;
}

http::Response try_again() {
  auto made = json_answer(503, "error", "cannot store deliveries now");
  made.headers.emplace_back("Retry-After", "5");
  return made;
}

std::string_view forge_of(const Endpoint& endpoint) {
  if (endpoint.binding == nullptr) return "unknown";
  return endpoint.provider == config::Provider::github ? "github" : "gitea";
}

/// Why the repository that the payload names is not the one of this endpoint; "" if it is.
std::string foreign(const config::RepositoryBinding& binding, const Delivery& delivery) {
  const auto& allowed = binding.webhook_repositories;
  if (allowed.empty()) return "";
  const bool named = std::any_of(
      delivery.repositories.begin(), delivery.repositories.end(), [&](const std::string& name) {
        return std::find(allowed.begin(), allowed.end(), name) != allowed.end();
      });
  return named ? "" : "the repository is not one of this endpoint";
}

}  // namespace

Intake::Intake(Endpoints endpoints, Accept accept, std::function<bool()> ready, Options options)
    : endpoints_(std::move(endpoints)),
      accept_(std::move(accept)),
      ready_(std::move(ready)),
      options_(std::move(options)),
      clock_(options_.clock == nullptr ? system_clock_ : *options_.clock) {}

std::optional<http::Response> Intake::check(const http::Request& request) {
  if (is_hook(request)) return check_hook(request, endpoints_.find(endpoint_id(request)));
  if (!is_page(request.path)) return json_answer(404, "error", "no such page");
  if (request.method != "GET" && request.method != "HEAD") return wrong_method("GET, HEAD");
  return std::nullopt;
}

std::optional<http::Response> Intake::check_hook(const http::Request& request,
                                                 const Endpoint& endpoint) {
  if (request.method != "POST") return wrong_method("POST");
  if (!has_signature(endpoint.provider, request)) return refuse_unsigned(endpoint);
  const Media media = media_of(request);
  // Gitea signs the decoded field of a form: to verify it, unsigned bytes would have to be read.
  const bool form = media == Media::form && endpoint.provider == config::Provider::github;
  if (endpoint.binding != nullptr && media != Media::json && !form) {
    metrics_.count(forge_of(endpoint), "refused");
    return json_answer(415, "error", "set the webhook's content type to application/json");
  }
  return std::nullopt;
}

http::Response Intake::refuse_unsigned(const Endpoint& endpoint) {
  metrics_.count(forge_of(endpoint), "refused");
  const auto now = std::chrono::steady_clock::now();
  const std::int64_t tell = refusals_.with([&](Refusals& refusals) -> std::int64_t {
    ++refusals.untold;
    if (refusals.told.time_since_epoch().count() != 0 && now - refusals.told < kTellEvery) return 0;
    refusals.told = now;
    return std::exchange(refusals.untold, 0);
  });
  if (tell > 0) {
    log::warn("receiver.refused",
              {{"deliveries", tell},
               {"last_repository", endpoint.binding == nullptr ? "" : endpoint.binding->name}});
  }
  return json_answer(endpoint.binding == nullptr ? 404 : 401, "error",
                     "no such endpoint, or not its signature");
}

http::Response Intake::serve(const http::Request& request, std::string_view body) {
  if (!is_hook(request)) return page(request);
  const Endpoint& endpoint = endpoints_.find(endpoint_id(request));
  auto answer = deliver(request, endpoint, body);
  if (answer) return *std::move(answer);
  const Error& error = answer.error();
  if (error.code == Errc::invalid) {
    metrics_.count(forge_of(endpoint), "invalid");
    log::warn("receiver.rejected",
              {{"repository", endpoint.binding->name}, {"why", error.message}});
    return json_answer(400, "error", error.message + (error.hint.empty() ? "" : ": " + error.hint));
  }
  metrics_.count(forge_of(endpoint), "unstored");
  log::error("receiver.not_stored", {{"why", error.message}});
  return try_again();
}

Result<http::Response> Intake::deliver(const http::Request& request,
                                       const Endpoint& endpoint,
                                       std::string_view body) {
  FAILPOINT("receiver.before_verify");
  const bool authentic = is_signed(endpoint.provider, request, body, endpoint.secrets);
  if (!authentic || endpoint.binding == nullptr) return refuse_unsigned(endpoint);

  std::unique_lock<std::mutex> one_at_a_time(large_, std::defer_lock);
  if (body.size() > kLarge) one_at_a_time.lock();
  std::string decoded;
  std::string_view text = body;
  if (media_of(request) == Media::form) {
    decoded = TRY(form_payload(body));
    text = decoded;
  }
  Delivery delivery = TRY(read_delivery(endpoint.provider, request, text));
  if (delivery.ignored.empty()) delivery.ignored = foreign(*endpoint.binding, delivery);
  if (!delivery.ignored.empty()) {
    metrics_.count(forge_of(endpoint), "ignored");
    log::info("receiver.ignored", {{"repository", endpoint.binding->name},
                                   {"delivery", delivery.sender_id},
                                   {"why", delivery.ignored}});
    return json_answer(200, "ignored", delivery.ignored);
  }
  return store(endpoint, delivery, body, text);
}

Result<http::Response> Intake::store(const Endpoint& endpoint,
                                     const Delivery& delivery,
                                     std::string_view body,
                                     std::string_view text) {
  const std::string forge(forge_of(endpoint));
  Event event{endpoint.binding->name,
              delivery.refs,
              Trigger::webhook,
              forge + ":" + crypto::sha256_hex(body),
              delivery.actor,
              "",
              clock_.now()};
  if (!delivery.unreadable.empty()) {
    // Authentic, so something moved: have every branch read again rather than lose it.
    event.reason = "a delivery without a readable \"" + delivery.unreadable + "\"";
    for (const std::string& branch : endpoint.binding->branches) {
      event.refs.push_back({"refs/heads/" + branch, kNoObject, kNoObject});
    }
  }
  auto accepted = accept_(event, delivery.redacted ? std::string_view(*delivery.redacted) : text,
                          *endpoint.binding);
  if (!accepted) {  // whatever it was, it is not the sender's fault
    return fail(Errc::unavailable, accepted.error().message);
  }
  const bool readable = delivery.unreadable.empty();
  metrics_.count(forge, accepted->duplicate ? "duplicate" : readable ? "accepted" : "invalid");
  log::info("receiver.accepted", {{"event", accepted->id},
                                  {"repository", event.repository},
                                  {"delivery", delivery.sender_id},
                                  {"ref", event.refs.empty() ? "" : event.refs.front().ref},
                                  {"duplicate", std::int64_t{accepted->duplicate}},
                                  {"reason", event.reason}});
  http::Response made;
  made.status = 202;
  made.body = "{\"event\":" + std::to_string(accepted->id) +
              (accepted->duplicate ? ",\"duplicate\":true}\n" : "}\n");
  return made;
}

http::Response Intake::page(const http::Request& request) {
  http::Response made;
  made.content_type = "text/plain; charset=utf-8";
  if (request.path == "/metrics") {
    made.content_type = "text/plain; version=0.0.4; charset=utf-8";
    Result<Gauges> gauges = fail(Errc::unavailable, "none");
    if (options_.gauges) gauges = options_.gauges();
    made.body = metrics_text(metrics_, gauges ? &*gauges : nullptr, options_.version);
    return made;
  }
  const bool good = request.path == "/healthz" || !ready_ || ready_();
  made.status = good ? 200 : 503;
  made.body = good ? "ok\n" : "cannot store deliveries\n";
  return made;
}

}  // namespace plumb::receiver
