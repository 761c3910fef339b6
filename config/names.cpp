#include "config/names.h"

#include <algorithm>
#include <charconv>

#include "core/text.h"

namespace plumb::config {
namespace {

bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool made_of(std::string_view text, std::string_view others) {
  if (text.empty() || text.size() > 63 || !is_alnum(text.front()) || !is_alnum(text.back()))
    return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return is_alnum(c) || others.find(c) != std::string_view::npos;
  });
}

}  // namespace

bool is_label(std::string_view text) {
  return made_of(text, "-");
}
bool is_name(std::string_view text) {
  return made_of(text, "-._");
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  struct Unit {
    std::string_view word;
    std::int64_t millis;
  };
  static constexpr Unit kUnits[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
  if (text.empty() || text.size() > 32) return std::nullopt;
  std::int64_t total = 0;
  while (!text.empty()) {
    std::int64_t count = 0;
    const auto [after, code] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (code != std::errc() || count < 0 || count > 1'000'000'000) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(after - text.data()));
    const auto end = std::min(text.find_first_of("0123456789"), text.size());
    const auto unit = std::find_if(std::begin(kUnits), std::end(kUnits), [&](const Unit& known) {
      return known.word == text.substr(0, end);
    });
    if (unit == std::end(kUnits)) return std::nullopt;
    total += count * unit->millis;
    text.remove_prefix(end);
  }
  return std::chrono::milliseconds(total);
}

std::optional<std::string> clean_folder(std::string_view path) {
  std::string clean;
  for (const std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    const bool control = std::any_of(part.begin(), part.end(), [](char c) {
      return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
    if (part == ".." || control) return std::nullopt;
    clean += (clean.empty() ? "" : "/") + part;
  }
  return clean;
}

}  // namespace plumb::config
