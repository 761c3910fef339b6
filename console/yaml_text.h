#pragma once
/// JSON values as YAML in block style, as people write it. Pure.
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace plumb::console {

/// Reads back to the same value. Texts that a terminal or YAML could misread are quoted and
/// escaped.
[[nodiscard]] std::string yaml_text(const nlohmann::json& value);

}  // namespace plumb::console
