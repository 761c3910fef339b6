#include "receiver/providers/provider.h"

#include <nlohmann/json.hpp>

#include "core/oid.h"
#include "core/text.h"
#include "drivers/json/fields.h"
#include "drivers/json/json.h"

namespace plumb::receiver {

Result<Delivery> read_delivery(config::Provider provider,
                               const http::Request& request,
                               std::string_view text) {
  // The JSON reader would skip it; no forge sends one.
  if (text.starts_with("\xef\xbb\xbf")) return fail(Errc::invalid, "a byte order mark");
  nlohmann::json payload = TRY_DOING("read the payload", json::parse(text));
  if (!payload.is_object()) return fail(Errc::invalid, "the payload is no JSON object");
  // Old Gitea put the hook's secret into the payload. It proves nothing and must not be kept.
  const bool has_secret = payload.erase("secret") > 0;
  Delivery made = TRY(provider == config::Provider::github ? read_github(request, payload)
                                                           : read_gitea(request, payload));
  if (has_secret) made.redacted = json::canonical(payload);
  return made;
}

std::string printable_header(const http::Request& request, std::string_view name) {
  return printable(request.header(name).value_or(""), 100);
}

std::vector<std::string> repository_names(const nlohmann::json& payload) {
  const auto& repository = json::object(payload, "repository");
  std::vector<std::string> names;
  for (const char* key : {"full_name", "clone_url", "ssh_url", "html_url"}) {
    std::string name = json::text(repository, key);
    if (!name.empty()) names.push_back(std::move(name));
  }
  return names;
}

Actor actor_of(const std::string& prefix, const nlohmann::json& payload) {
  std::string login;
  for (const char* who : {"sender", "pusher"}) {
    const auto& person = json::object(payload, who);
    for (const char* key : {"login", "username", "name"}) {
      if (login.empty()) login = json::text(person, key);
    }
  }
  login = login.empty() ? "unknown" : printable(login, 100);
  std::string name = json::text(json::object(payload, "pusher"), "full_name");
  return {prefix + ":" + login, name.empty() ? login : printable(name, 100), Assurance::platform};
}

Result<> read_push(const nlohmann::json& payload, Delivery& into) {
  RefUpdate update{json::text(payload, "ref"), json::text(payload, "before"),
                   json::text(payload, "after")};
  if (update.ref.empty()) {
    into.unreadable = "ref";
  } else if (!is_ref_name(update.ref)) {
    return fail(Errc::invalid, "\"" + printable(update.ref, 100) + "\" is no name of a ref");
  } else if (!is_oid(update.old_oid)) {
    into.unreadable = "before";
  } else if (!is_oid(update.new_oid)) {
    into.unreadable = "after";
  } else {
    into.refs.push_back(std::move(update));
  }
  return {};
}

}  // namespace plumb::receiver
