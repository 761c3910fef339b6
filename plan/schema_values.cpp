#include "plan/schema_values.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <arpa/inet.h>
#include <nlohmann/json.hpp>

namespace plumb::plan::shape {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_alnum(char c) {
  return is_digit(c) || is_lower(c) || is_upper(c);
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

template <class Test>
bool all(std::string_view text, Test test) {
  return std::all_of(text.begin(), text.end(), test);
}

/// Two digits at `at`, or -1.
int two(std::string_view text, std::size_t at) {
  if (at + 2 > text.size() || !is_digit(text[at]) || !is_digit(text[at + 1])) return -1;
  return (text[at] - '0') * 10 + (text[at + 1] - '0');
}

bool is_date(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  const int century = two(text, 0);
  const int rest = two(text, 2);
  const int month = two(text, 5);
  const int day = two(text, 8);
  if (century < 0 || rest < 0 || month < 1 || month > 12 || day < 1) return false;
  static constexpr std::array<int, 12> kDays{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const int year = century * 100 + rest;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= kDays[static_cast<std::size_t>(month - 1)] + (month == 2 && leap ? 1 : 0);
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

/// Go's time.ParseDuration, plus the words that the server's strfmt also takes ("3 days", "1w").
bool is_duration(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  if (text == "0") return true;
  if (text.empty()) return false;
  static constexpr std::array<std::string_view, 38> kUnits{"ns",
                                                           "nano",
                                                           "nanos",
                                                           "nanosecond",
                                                           "nanoseconds",
                                                           "us",
                                                           "µs",
                                                           "micro",
                                                           "micros",
                                                           "microsecond",
                                                           "microseconds",
                                                           "ms",
                                                           "milli",
                                                           "millis",
                                                           "millisecond",
                                                           "milliseconds",
                                                           "s",
                                                           "sec",
                                                           "secs",
                                                           "second",
                                                           "seconds",
                                                           "m",
                                                           "min",
                                                           "mins",
                                                           "minute",
                                                           "minutes",
                                                           "h",
                                                           "hr",
                                                           "hour",
                                                           "hours",
                                                           "d",
                                                           "day",
                                                           "days",
                                                           "w",
                                                           "wk",
                                                           "week",
                                                           "weeks",
                                                           "wks"};
  while (!text.empty()) {
    const std::size_t number = std::min(text.find_first_not_of("0123456789."), text.size());
    const std::string_view digits = text.substr(0, number);
    if (std::count_if(digits.begin(), digits.end(), is_digit) == 0) return false;
    if (std::count(digits.begin(), digits.end(), '.') > 1) return false;
    text.remove_prefix(number);
    while (!text.empty() && text[0] == ' ') text.remove_prefix(1);
    const std::size_t unit = std::min(text.find_first_of("0123456789. "), text.size());
    if (std::find(kUnits.begin(), kUnits.end(), text.substr(0, unit)) == kUnits.end()) return false;
    text.remove_prefix(unit);
    while (!text.empty() && text[0] == ' ') text.remove_prefix(1);
  }
  return true;
}

bool is_address(std::string_view text, int family) {
  std::array<unsigned char, 16> bytes{};
  return inet_pton(family, std::string(text).c_str(), bytes.data()) == 1;
}

bool is_cidr(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == text.npos) return false;
  const std::string_view bits = text.substr(slash + 1);
  if (bits.empty() || bits.size() > 3 || !all(bits, is_digit)) return false;
  if (bits.size() > 1 && bits[0] == '0') return false;
  const int wanted = std::stoi(std::string(bits));
  const std::string_view address = text.substr(0, slash);
  return (is_address(address, AF_INET) && wanted <= 32) ||
         (is_address(address, AF_INET6) && wanted <= 128);
}

bool is_mac(std::string_view text) {
  const char separator = text.size() > 2 ? text[2] : '\0';
  if (separator != ':' && separator != '-') return false;
  if (text.size() != 17 && text.size() != 23 && text.size() != 59) return false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (at % 3 == 2 ? text[at] != separator : !is_hex(text[at])) return false;
  }
  return true;
}

bool is_uuid(std::string_view text, char version) {
  std::string digits(text);
  digits.erase(std::remove(digits.begin(), digits.end(), '-'), digits.end());
  if (digits.size() != 32 || !all(digits, is_hex)) return false;
  return version == '\0' || digits[12] == version;
}

bool is_hostname(std::string_view text) {
  if (text.empty() || text.size() > 255) return false;
  while (!text.empty()) {
    const std::size_t dot = std::min(text.find('.'), text.size());
    const std::string_view label = text.substr(0, dot);
    if (label.empty() || label.size() > 63 || !is_alnum(label.front()) || !is_alnum(label.back())) {
      return false;
    }
    if (!all(label, [](char c) { return is_alnum(c) || c == '-'; })) return false;
    text.remove_prefix(std::min(dot + 1, text.size()));
  }
  return true;
}

bool is_email(std::string_view text) {
  const std::size_t at = text.rfind('@');
  return at != text.npos && at > 0 && at + 1 < text.size() &&
         text.find_first_of(" \t\r\n") == text.npos;
}

/// Go's url.ParseRequestURI: an absolute path, or a scheme.
bool is_uri(std::string_view text) {
  if (text.empty() || text.find_first_of(" \t\r\n\x7f") != text.npos) return false;
  if (text[0] == '/') return true;
  const std::size_t colon = text.find(':');
  if (colon == text.npos || colon == 0 || !(is_lower(text[0]) || is_upper(text[0]))) return false;
  return all(text.substr(0, colon),
             [](char c) { return is_alnum(c) || c == '+' || c == '-' || c == '.'; });
}

bool is_hex_color(std::string_view text) {
  if (!text.empty() && text[0] == '#') text.remove_prefix(1);
  return (text.size() == 3 || text.size() == 6) && all(text, is_hex);
}

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (is_lower(c)) c = static_cast<char>(c - 'a' + 'A');
  }
  return result;
}

bool label_shape(std::string_view text) {
  return !text.empty() && text.front() != '-' && text.back() != '-' &&
         all(text, [](char c) { return is_lower(c) || is_digit(c) || c == '-'; });
}

}  // namespace

bool is_quantity(std::string_view text) {
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) text.remove_prefix(1);
  const std::size_t number = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string_view digits = text.substr(0, number);
  if (std::count(digits.begin(), digits.end(), '.') > 1) return false;
  if (std::none_of(digits.begin(), digits.end(), is_digit)) return false;
  const std::string_view suffix = text.substr(number);
  static constexpr std::array<std::string_view, 16> kSuffixes{
      "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
  if (std::find(kSuffixes.begin(), kSuffixes.end(), suffix) != kSuffixes.end()) return true;
  if (suffix[0] != 'e' && suffix[0] != 'E') return false;
  std::string_view exponent = suffix.substr(1);
  if (!exponent.empty() && (exponent[0] == '+' || exponent[0] == '-')) exponent.remove_prefix(1);
  return !exponent.empty() && exponent.size() <= 9 && all(exponent, is_digit);
}

bool is_base64(std::string_view text) {
  std::size_t digits = 0;
  std::size_t padding = 0;
  for (const char c : text) {
    if (c == '\n' || c == '\r') continue;
    if (c == '=') {
      ++padding;
    } else if ((is_alnum(c) || c == '+' || c == '/') && padding == 0) {
      ++digits;
    } else {
      return false;
    }
  }
  return padding <= 2 && (digits + padding) % 4 == 0 && digits % 4 != 1;
}

std::string from_base64(std::string_view text) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == kDigits.npos) continue;
    bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes += static_cast<char>((bits >> static_cast<unsigned>(held)) & 0xFFU);
  }
  return bytes;
}

std::optional<long double> quantity(const nlohmann::json& value) {
  if (value.is_number()) return static_cast<long double>(value.get<double>());
  if (!value.is_string()) return std::nullopt;
  const std::string& text = value.get_ref<const std::string&>();
  if (!is_quantity(text) || text.size() > 64) return std::nullopt;
  const std::size_t end = std::min(text.find_first_not_of("+-0123456789."), text.size());
  const long double number = std::strtold(text.substr(0, end).c_str(), nullptr);
  const std::string suffix = text.substr(end);
  struct Scale {
    std::string_view suffix;
    long double factor;
  };
  static constexpr std::array<Scale, 15> kScales{{{"", 1},
                                                  {"n", 1e-9L},
                                                  {"u", 1e-6L},
                                                  {"m", 1e-3L},
                                                  {"k", 1e3L},
                                                  {"M", 1e6L},
                                                  {"G", 1e9L},
                                                  {"T", 1e12L},
                                                  {"P", 1e15L},
                                                  {"E", 1e18L},
                                                  {"Ki", 1024.0L},
                                                  {"Mi", 1048576.0L},
                                                  {"Gi", 1073741824.0L},
                                                  {"Ti", 1099511627776.0L},
                                                  {"Pi", 1125899906842624.0L}}};
  for (const Scale& scale : kScales) {
    if (scale.suffix == suffix) return number * scale.factor;
  }
  return std::nullopt;
}

bool is_schedule(std::string_view text) {
  static constexpr std::array<std::string_view, 7> kWords{
      "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"};
  if (!text.empty() && text[0] == '@') {
    return std::find(kWords.begin(), kWords.end(), text) != kWords.end() ||
           text.substr(0, 7) == "@every ";
  }
  int fields = 0;
  bool inside = false;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\t' || c == '\n';
    if (!space && !inside) ++fields;
    inside = !space;
    if (!space && !is_alnum(c) && c != '*' && c != '/' && c != ',' && c != '-' && c != '?')
      return false;
  }
  return fields == 5;
}

bool is_time(std::string_view text) {
  if (text.size() < 20 || !is_date(text.substr(0, 10)) || text[10] != 'T') return false;
  const int hour = two(text, 11);
  const int minute = two(text, 14);
  const int second = two(text, 17);
  if (text[13] != ':' || text[16] != ':') return false;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return false;
  std::string_view rest = text.substr(19);
  if (rest[0] == '.' || rest[0] == ',') {
    const std::size_t end = std::min(rest.find_first_not_of("0123456789", 1), rest.size());
    if (end == 1) return false;
    rest.remove_prefix(end);
  }
  if (rest == "Z") return true;
  if (rest.size() != 6 || (rest[0] != '+' && rest[0] != '-') || rest[3] != ':') return false;
  const int hours = two(rest, 1);
  const int minutes = two(rest, 4);
  return hours >= 0 && hours <= 24 && minutes >= 0 && minutes < 60;
}

bool breaks_format(std::string_view format, std::string_view text) {
  if (format == "date-time") return !is_time(upper(text));  // "t" and "z" are fine too
  if (format == "date") return !is_date(text);
  if (format == "duration") return !is_duration(lower(text));
  if (format == "byte") return text.empty() || !is_base64(text);
  if (format == "ipv4") return !is_address(text, AF_INET);
  if (format == "ipv6") return !is_address(text, AF_INET6);
  if (format == "cidr") return !is_cidr(text);
  if (format == "mac") return !is_mac(text);
  if (format == "uuid") return !is_uuid(text, '\0');
  if (format == "uuid3") return !is_uuid(text, '3');
  if (format == "uuid4") return !is_uuid(text, '4');
  if (format == "uuid5") return !is_uuid(text, '5');
  if (format == "hostname") return !is_hostname(text);
  if (format == "email") return !is_email(text);
  if (format == "uri") return !is_uri(text);
  if (format == "hexcolor") return !is_hex_color(text);
  if (format == "k8s-short-name") return !is_dns_label(text);
  if (format == "k8s-long-name") return !is_dns_subdomain(text);
  return false;
}

bool is_dns_label(std::string_view text) {
  return text.size() <= 63 && label_shape(text);
}

bool is_dns_1035_label(std::string_view text) {
  return is_dns_label(text) && is_lower(text[0]);
}

bool is_dns_subdomain(std::string_view text) {
  if (text.empty() || text.size() > 253 || text.back() == '.') return false;
  while (!text.empty()) {
    const std::size_t dot = std::min(text.find('.'), text.size());
    if (!label_shape(text.substr(0, dot))) return false;
    text.remove_prefix(std::min(dot + 1, text.size()));
  }
  return true;
}

bool is_qualified_name(std::string_view key) {
  const std::size_t slash = key.find('/');
  if (slash != key.npos) {
    if (!is_dns_subdomain(key.substr(0, slash))) return false;
    key.remove_prefix(slash + 1);
  }
  return !key.empty() && is_label_value(key);
}

bool is_label_value(std::string_view value) {
  if (value.empty()) return true;
  return value.size() <= 63 && is_alnum(value.front()) && is_alnum(value.back()) &&
         all(value, [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; });
}

bool is_config_key(std::string_view key) {
  if (key.empty() || key.size() > 253 || key == "." || key.substr(0, 2) == "..") return false;
  return all(key, [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; });
}

}  // namespace plumb::plan::shape
