#pragma once
/// Checks of one value that need no walk: ranges, formats, enums, and the hints for unknown keys.
#include "plan/schema_walk.h"

namespace plumb::plan::shape {

void check_scalar(const Node& node, const Json& value, const Path& path, Report& report);
void check_choice(const Node& node, const Json& value, const Path& path, Report& report);
void check_limits(const Limits& limits, const Json& value, const Path& path, Report& report);

/// How to spell an unknown key, or where it belongs. `above`: Path::shape() of the mapping.
[[nodiscard]] std::string unknown_hint(const Node& node,
                                       const std::string& key,
                                       const std::string& above);

/// Keys that the OpenAPI document calls required and the server fills in or does without.
[[nodiscard]] bool server_fills(const Node& node, std::string_view key);

}  // namespace plumb::plan::shape
