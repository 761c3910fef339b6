#pragma once
/// Whether a delivery was signed with one of an endpoint's secrets. Pure; reads nothing of the body
/// but its digest.
#include <string>
#include <string_view>
#include <vector>

#include "config/server_config.h"
#include "drivers/http/http.h"

namespace plumb::receiver {

/// True if the head could belong to a signed delivery: at least one SHA-256 signature, each header
/// once and well-formed. SHA-1 counts for nothing.
[[nodiscard]] bool has_signature(config::Provider provider, const http::Request& request);

/// True if every SHA-256 signature that is there is the one of `body` under the same secret. Time
/// depends on the number of secrets and the size of the body, not on which byte differs.
[[nodiscard]] bool is_signed(config::Provider provider,
                             const http::Request& request,
                             std::string_view body,
                             const std::vector<std::string>& secrets);

}  // namespace plumb::receiver
