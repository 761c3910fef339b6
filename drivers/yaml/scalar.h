#pragma once
/// What one scalar means: the rules of the API server's YAML reader (YAML 1.1 words and numbers).
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "core/result.h"

namespace plumb::yaml {

/// `tag` as the parser gives it: "?" plain, "!" quoted, else the tag that the text names. Floats
/// stay floats here, also whole ones: a key needs to know. invalid: no JSON value, or not what the
/// tag says.
[[nodiscard]] Result<nlohmann::json> resolve(std::string_view tag, const std::string& text);

/// A resolved scalar as a mapping key: `true` is "true", `1.50` is "1.5". invalid: null.
[[nodiscard]] Result<std::string> as_key(const nlohmann::json& scalar);

/// A resolved scalar as a value: 1e3 becomes 1000, as when the server writes it as JSON.
void settle_number(nlohmann::json& scalar);

}  // namespace plumb::yaml
