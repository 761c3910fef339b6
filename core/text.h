#pragma once
/// Small text helpers that several folders share. Pure.
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

/// The candidate closest to `word` by Damerau-Levenshtein distance (at most 3, and less than half
/// of the word), or equal to it but for case; nullopt if none is near.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word,
                                                 std::span<const std::string> candidates);

/// Untrusted text for a terminal or a log: control characters, escape sequences, bidi controls and
/// bytes that are not UTF-8 become '?'; cut to `limit` bytes with "..." at a character's border.
[[nodiscard]] std::string printable(std::string_view untrusted, std::size_t limit = 200);

/// True if `bytes` is well-formed UTF-8.
[[nodiscard]] bool is_utf8(std::string_view bytes);

/// `text` as the inside of a JSON string (no quotes); bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string json_escaped(std::string_view text);

/// '*' matches any run of characters but '/', '?' one. The whole of `text` must match.
[[nodiscard]] bool glob_match(std::string_view pattern, std::string_view text);

[[nodiscard]] std::vector<std::string> split(std::string_view text, char separator);

/// 1-based lines.
[[nodiscard]] std::string_view line_of(std::string_view text, int line);

}  // namespace plumb
