#include "drivers/kube/credentials.h"

#include <ctime>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "drivers/json/json.h"
#include "drivers/kube/files.h"
#include "drivers/process/process.h"

namespace plumb::kube {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kTokenFileAge{60};
constexpr std::chrono::seconds kPluginDeadline{30};
constexpr UnixMillis kRenewBefore = 30'000;
constexpr std::size_t kMaxAnswer = 1U << 20U;

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
    text.pop_back();
  }
  return text;
}

std::string text_at(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

/// A header value must not carry a line end into the request.
Result<std::string> checked_token(std::string token, const std::string& from) {
  for (const char c : token) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) {
      return fail(Errc::denied,
                  "the token of " + from + " holds white space or control characters");
    }
  }
  return token;
}

std::string exec_info(const Access& access, const ExecPlugin& plugin) {
  json spec = {{"interactive", false}};
  if (plugin.provide_cluster_info) {
    spec["cluster"] = {{"server", access.server}};
    if (access.insecure_skip_tls_verify) spec["cluster"]["insecure-skip-tls-verify"] = true;
    if (!access.tls_server_name.empty())
      spec["cluster"]["tls-server-name"] = access.tls_server_name;
  }
  return plumb::json::canonical(
      {{"apiVersion", plugin.api_version}, {"kind", "ExecCredential"}, {"spec", spec}});
}

}  // namespace

UnixMillis parse_rfc3339(const std::string& text) {
  std::tm parts{};
  const char* rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return 0;
  if (*rest == '.') {
    do ++rest;
    while (*rest >= '0' && *rest <= '9');
  }
  UnixMillis seconds = timegm(&parts);
  if (*rest == '+' || *rest == '-') {
    std::tm offset{};
    if (strptime(rest + 1, "%H:%M", &offset) == nullptr) return 0;
    const int shift = (offset.tm_hour * 60 + offset.tm_min) * 60;
    seconds += *rest == '+' ? -shift : shift;
  } else if (*rest != 'Z' && *rest != 'z') {
    return 0;
  }
  return seconds * 1000;
}

Result<std::shared_ptr<const Identity>> Credentials::current() {
  return known_.with([&](Known& known) -> Result<std::shared_ptr<const Identity>> {
    const bool stale_file =
        !access_.token_file.empty() && clock_.steady() - known.read_at >= kTokenFileAge;
    const bool expired = known.expires_at != 0 && clock_.now() + kRenewBefore >= known.expires_at;
    if (known.identity && !stale_file && !expired) return known.identity;
    auto fresh = refresh(known);
    // An old token is better than none: the file may be replaced at this moment.
    if (!fresh && (!known.identity || expired)) return Failure(std::move(fresh).error());
    return known.identity;
  });
}

bool Credentials::renew(const std::shared_ptr<const Identity>& refused) {
  if (access_.token_file.empty() && !access_.exec) return false;
  return known_.with([&](Known& known) {
    if (known.identity != refused) return true;  // somebody else has renewed it already
    const auto old = known.identity;
    known.identity = nullptr;
    if (!refresh(known)) {
      known.identity = old;
      return false;
    }
    return known.identity->token != old->token ||
           known.identity->certificate_pem != old->certificate_pem;
  });
}

Result<> Credentials::refresh(Known& known) const {
  if (access_.exec) return run_plugin(known);
  Identity identity{access_.token, access_.client_certificate_pem, access_.client_key_pem};
  if (!access_.token_file.empty()) identity.token = TRY(read_file(access_.token_file, kMaxAnswer));
  identity.token = TRY(checked_token(trimmed(identity.token), access_.origin));
  known.identity = std::make_shared<const Identity>(std::move(identity));
  known.read_at = clock_.steady();
  return {};
}

Result<> Credentials::run_plugin(Known& known) const {
  const ExecPlugin& plugin = *access_.exec;
  const std::string doing = "credential plugin '" + plugin.program + "'";
  std::vector<std::string> argv{plugin.program};
  argv.insert(argv.end(), plugin.arguments.begin(), plugin.arguments.end());
  process::RunOptions options;
  options.environment = {"PATH=/usr/local/bin:/usr/bin:/bin",
                         "KUBERNETES_EXEC_INFO=" + exec_info(access_, plugin)};
  for (const auto& [name, value] : plugin.environment) {
    options.environment.push_back(name + "=" + value);
  }
  options.deadline = kPluginDeadline;
  options.max_output = kMaxAnswer;
  const process::Output output = TRY_DOING(doing, process::run(std::move(argv), options));
  if (!output.exit.ok()) {
    // Its standard error may quote a secret; the operator can run it by hand.
    return fail(Errc::unavailable, doing + ": " + output.exit.to_string(), "",
                "run it by hand as the user of plumbd");
  }
  auto answer = plumb::json::parse(output.out);
  if (!answer || !answer->is_object() || text_at(*answer, "kind") != "ExecCredential" ||
      !answer->contains("status") || !(*answer)["status"].is_object()) {
    return fail(Errc::denied, doing + ": its answer is no ExecCredential with a status");
  }
  const json& status = (*answer)["status"];
  const std::string token = TRY(checked_token(text_at(status, "token"), doing));
  Identity identity{token, text_at(status, "clientCertificateData"),
                    text_at(status, "clientKeyData")};
  if (identity.token.empty() && (identity.certificate_pem.empty() || identity.key_pem.empty())) {
    return fail(Errc::denied, doing + ": it gave neither a token nor a certificate with its key");
  }
  known.expires_at = parse_rfc3339(text_at(status, "expirationTimestamp"));
  known.identity = std::make_shared<const Identity>(std::move(identity));
  known.read_at = clock_.steady();
  return {};
}

}  // namespace plumb::kube
