#pragma once
/// What an API server's answer means for the job (apply/cluster.h says which Errc is which). Pure.
#include <string>
#include <string_view>

#include "core/result.h"
#include "drivers/kube/client.h"

namespace plumb::kube {

/// A 2xx answer is fine; anything else becomes an Error with the server's message, printable and
/// cut to 1000 bytes. The caller scrubs secret values.
[[nodiscard]] Result<> check(const Response& response);

/// The "message" of a Status body, or the start of the body. Printable.
[[nodiscard]] std::string message_of(const Response& response);

/// True for the 500s of server-side apply that say "this object does not fit the schema".
[[nodiscard]] bool is_schema_refusal(std::string_view message);

/// True for a 404 that means "no such kind here" and not "no such object".
[[nodiscard]] bool is_unknown_kind(const Response& response);

}  // namespace plumb::kube
