#pragma once
/// drivers/json: JSON text in and out, bounded and canonical. Any thread.
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "core/result.h"

namespace plumb::json {

struct Limits {
  std::size_t max_bytes = 32U << 20U;
  int max_depth = 64;
  bool refuse_duplicate_keys = true;
};

/// Parses untrusted text. invalid: not JSON, not UTF-8, too large, too deep, a key twice, trailing
/// bytes. The message says at which byte.
[[nodiscard]] Result<nlohmann::json> parse(std::string_view text, const Limits& limits = {});

/// Sorted keys, no white space, invalid UTF-8 replaced. The same value always gives the same bytes.
[[nodiscard]] std::string canonical(const nlohmann::json& value);

}  // namespace plumb::json
