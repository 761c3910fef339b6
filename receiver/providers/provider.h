#pragma once
/// What a forge's delivery says: headers and payload in, Delivery out. Pure; one file a provider.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "config/server_config.h"
#include "core/event.h"
#include "core/result.h"
#include "drivers/http/http.h"

namespace plumb::receiver {

struct Delivery {
  std::string event;      ///< the sender's word, printable: "push"
  std::string sender_id;  ///< the sender's id of this delivery, printable; not signed
  std::vector<std::string> repositories;  ///< full name and URLs that name the repository
  std::vector<RefUpdate> refs;            ///< every ref that moved; empty unless a push
  Actor actor;
  std::string ignored;  ///< not empty: of no use here, and why
  std::string
      unreadable;  ///< not empty: should have been of use; the field that is missing or wrong
  std::optional<std::string> redacted;  ///< the payload without its secret, where one stood in it
};

/// `text` is the payload of an authenticated delivery. invalid: not JSON, too deep, a key twice, an
/// illegal ref, or headers of another provider. A field that is missing or of the wrong type is no
/// error but `unreadable`.
[[nodiscard]] Result<Delivery> read_delivery(config::Provider provider,
                                             const http::Request& request,
                                             std::string_view text);

[[nodiscard]] Result<Delivery> read_github(const http::Request& request,
                                           const nlohmann::json& payload);
[[nodiscard]] Result<Delivery> read_gitea(const http::Request& request,
                                          const nlohmann::json& payload);

// ---- what both share ----

/// A header for people and logs.
[[nodiscard]] std::string printable_header(const http::Request& request, std::string_view name);
/// Names and URLs of payload.repository.
[[nodiscard]] std::vector<std::string> repository_names(const nlohmann::json& payload);
/// The one who pushed, as `<prefix>:<login>`, as sure as the platform is.
[[nodiscard]] Actor actor_of(const std::string& prefix, const nlohmann::json& payload);
/// ref, before and after of a push into `into`. invalid: an illegal ref name.
[[nodiscard]] Result<> read_push(const nlohmann::json& payload, Delivery& into);

}  // namespace plumb::receiver
