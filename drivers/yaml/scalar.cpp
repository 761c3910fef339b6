#include "drivers/yaml/scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>

#include <nlohmann/json.hpp>

namespace plumb::yaml {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kTagPrefix = "tag:yaml.org,2002:";

template <std::size_t N>
bool any_of(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

std::optional<Json> word(std::string_view text) {
  static constexpr std::array<std::string_view, 11> kTrue{
      "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"};
  static constexpr std::array<std::string_view, 11> kFalse{
      "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"};
  static constexpr std::array<std::string_view, 5> kNull{"", "~", "null", "Null", "NULL"};
  if (any_of(text, kTrue)) return Json(true);
  if (any_of(text, kFalse)) return Json(false);
  if (any_of(text, kNull)) return Json(nullptr);
  return std::nullopt;
}

bool is_not_finite(std::string_view text) {
  static constexpr std::array<std::string_view, 12> kWords{".nan",  ".NaN",  ".NAN",  ".inf",
                                                           ".Inf",  ".INF",  "+.inf", "+.Inf",
                                                           "+.INF", "-.inf", "-.Inf", "-.INF"};
  return any_of(text, kWords);
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Base by prefix: 0x, 0b, 0o, a bare 0 (octal), else ten.
std::optional<Json> integer(std::string_view text) {
  const bool has_sign = !text.empty() && (text[0] == '-' || text[0] == '+');
  const bool negative = has_sign && text[0] == '-';
  if (has_sign) text.remove_prefix(1);
  if (text.empty() || !is_digit(text[0])) return std::nullopt;
  if (text == "0") return Json(0);
  int base = 10;
  if (text[0] == '0') {
    const char mark = text.size() >= 3 ? static_cast<char>(text[1] | 0x20) : '\0';
    base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    text.remove_prefix(mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1);
  }
  std::uint64_t magnitude = 0;
  const auto [end, problem] =
      std::from_chars(text.data(), text.data() + text.size(), magnitude, base);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  constexpr std::uint64_t kMax = static_cast<std::uint64_t>(INT64_MAX);
  if (negative) {
    if (magnitude > kMax + 1) return std::nullopt;
    return Json(static_cast<std::int64_t>(0 - magnitude));
  }
  if (magnitude <= kMax) return Json(static_cast<std::int64_t>(magnitude));
  if (has_sign) return std::nullopt;
  return Json(magnitude);
}

std::size_t digits_from(std::string_view text, std::size_t at) {
  while (at < text.size() && is_digit(text[at])) ++at;
  return at;
}

/// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
bool looks_like_float(std::string_view text) {
  std::size_t at = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  const std::size_t whole = digits_from(text, at);
  const bool has_whole = whole > at;
  at = whole;
  if (at < text.size() && text[at] == '.') {
    const std::size_t fraction = digits_from(text, at + 1);
    if (!has_whole && fraction == at + 1) return false;
    at = fraction;
  } else if (!has_whole) {
    return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    const std::size_t exponent = digits_from(text, at);
    if (exponent == at) return false;
    at = exponent;
  }
  return at == text.size();
}

std::optional<Json> floating(std::string_view text) {
  if (!looks_like_float(text)) return std::nullopt;
  if (text[0] == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  static_cast<void>(end);
  if (problem == std::errc::result_out_of_range) {
    const bool tiny = text.find("e-") != text.npos || text.find("E-") != text.npos;
    if (!tiny) return std::nullopt;  // the server's reader keeps it a string
    value = 0;
  }
  return Json(value);
}

/// What an unquoted text means.
Result<Json> plain(const std::string& text) {
  if (std::optional<Json> value = word(text)) return *std::move(value);
  if (is_not_finite(text)) return fail(Errc::invalid, "\"" + text + "\" is no JSON number");
  const char first = text[0];
  if (first == '.') return floating(text).value_or(Json(text));
  if (is_digit(first) || first == '+' || first == '-') {
    std::string digits = text;
    digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
    if (std::optional<Json> value = integer(digits)) return *std::move(value);
    if (std::optional<Json> value = floating(digits)) return *std::move(value);
  }
  return Json(text);
}

/// "1.5", "1000", "1e+06": shortest form of a 32-bit float with an exponent from 10^6 on, which is
/// how the server's reader turns such a key into text.
std::string float_key(double number) {
  const auto value = static_cast<float>(number);
  std::array<char, 64> text{};
  char* const begin = text.data();
  char* const end = begin + text.size();
  auto written = std::to_chars(begin, end, value, std::chars_format::scientific);
  const std::string_view scientific(begin, static_cast<std::size_t>(written.ptr - begin));
  const std::size_t e = scientific.find('e');
  int exponent = 0;
  if (e != scientific.npos) {
    const std::size_t from = scientific[e + 1] == '+' ? e + 2 : e + 1;
    std::from_chars(begin + from, written.ptr, exponent);
  }
  if (exponent < -4 || exponent >= 6) return std::string(scientific);
  written = std::to_chars(begin, end, value, std::chars_format::fixed);
  return std::string(begin, written.ptr);
}

}  // namespace

Result<Json> resolve(std::string_view tag, const std::string& text) {
  if (tag.empty() || tag == "?") return plain(text);
  if (tag.substr(0, kTagPrefix.size()) != kTagPrefix) return Json(text);
  const std::string_view type = tag.substr(kTagPrefix.size());
  if (type == "binary") return fail(Errc::invalid, "the tag !!binary is not supported");
  const bool checked = type == "bool" || type == "int" || type == "float" || type == "null";
  if (!checked) return Json(text);
  Json value = TRY(plain(text));
  const bool fits = (type == "bool" && value.is_boolean()) ||
                    (type == "int" && value.is_number_integer()) ||
                    (type == "float" && value.is_number()) || (type == "null" && value.is_null());
  if (!fits) return fail(Errc::invalid, "a value does not fit its tag !!" + std::string(type));
  if (type == "float") value = value.get<double>();
  return value;
}

Result<std::string> as_key(const Json& scalar) {
  if (scalar.is_string()) return scalar.get<std::string>();
  if (scalar.is_boolean()) return std::string(scalar.get<bool>() ? "true" : "false");
  if (scalar.is_number_float()) return float_key(scalar.get<double>());
  if (scalar.is_number_integer()) return scalar.dump();
  return fail(Errc::invalid, "a key is null");
}

void settle_number(Json& scalar) {
  if (!scalar.is_number_float()) return;
  const double value = scalar.get<double>();
  constexpr double kLimit = 9.2e18;  // inside int64
  if (std::floor(value) == value && std::abs(value) < kLimit) {
    scalar = static_cast<std::int64_t>(value);
  }
}

}  // namespace plumb::yaml
