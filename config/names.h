#pragma once
/// What names and durations may look like. Pure.
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace plumb::config {

/// RFC 1123: lower-case letters, digits and '-', at most 63, no '-' at the ends.
[[nodiscard]] bool is_label(std::string_view text);
/// Of repositories and clusters in the server's file: label characters, '.' and '_'.
[[nodiscard]] bool is_name(std::string_view text);

/// "90s", "5m", "1h30m", "250ms".
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// A folder of a repository without leading, trailing or doubled slashes and without "."; nullopt
/// if it has ".." or control characters.
[[nodiscard]] std::optional<std::string> clean_folder(std::string_view path);

}  // namespace plumb::config
