#include "console/yaml_text.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "core/text.h"

namespace plumb::console {
namespace {

using Json = nlohmann::json;

bool is_harmless(const std::string& text) {
  return printable(text, text.size()) == text;
}

/// Words and beginnings that YAML 1.1 or 1.2 reads as something else than text.
bool is_plain(const std::string& text) {
  if (text.empty() || text.size() > 512 || !is_harmless(text)) return false;
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (!letter(text.front()) && text.front() != '/') return false;
  constexpr std::string_view kAlso = "0123456789-_./@+, ():=*";
  for (const char c : text) {
    if (!letter(c) && kAlso.find(c) == std::string_view::npos) return false;
  }
  if (text.back() == ' ' || text.back() == ':' || text.find(": ") != std::string::npos)
    return false;
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  constexpr std::array<std::string_view, 9> kWords{"true", "false", "null", "yes", "no",
                                                   "on",   "off",   "y",    "n"};
  return std::find(kWords.begin(), kWords.end(), lower) == kWords.end();
}

std::string quoted(const std::string& text) {
  // Every JSON text is a YAML double-quoted one; ASCII escapes leave nothing to a terminal.
  return Json(text).dump(-1, ' ', !is_harmless(text), Json::error_handler_t::replace);
}

std::string scalar(const Json& value) {
  if (!value.is_string()) return value.dump();
  const auto& text = value.get_ref<const std::string&>();
  return is_plain(text) ? text : quoted(text);
}

/// "|" or "|-" where a block of lines says the same; "" where it would not.
std::string block_mark(const std::string& text) {
  const auto end = text.find_last_not_of('\n');
  if (text.find('\n') == std::string::npos || end == std::string::npos) return "";
  if (text.front() == ' ' || text.front() == '\n' || text.size() - end > 2) return "";
  for (const std::string& line : split(text, '\n')) {
    if (!is_harmless(line) || (!line.empty() && line.back() == ' ')) return "";
  }
  return text.back() == '\n' ? "|" : "|-";
}

class Writer {
 public:
  /// After "key:" or "-": a value on the same line or on the next ones.
  void value(const Json& json, int indent) {
    if (json.is_object() && !json.empty()) {
      text += "\n";
      members(json, indent);
    } else if (json.is_array() && !json.empty()) {
      text += "\n";
      items(json, indent);
    } else if (const auto mark =
                   json.is_string() ? block_mark(json.get_ref<const std::string&>()) : "";
               !mark.empty()) {
      text += " " + mark + "\n";
      block(json.get_ref<const std::string&>(), indent);
    } else {
      text += " " + scalar(json) + "\n";
    }
  }

  void members(const Json& object, int indent, bool first_stands = false) {
    for (const auto& [key, member] : object.items()) {
      if (!first_stands) text += std::string(static_cast<std::size_t>(indent), ' ');
      first_stands = false;
      text += (is_plain(key) ? key : quoted(key)) + ":";
      value(member, member.is_array() ? indent : indent + 2);
    }
  }

  std::string text;

 private:
  void items(const Json& array, int indent) {
    for (const Json& item : array) {
      text += std::string(static_cast<std::size_t>(indent), ' ') + "-";
      if (item.is_object() && !item.empty()) {
        text += " ";
        members(item, indent + 2, true);
      } else {
        value(item, indent + 2);
      }
    }
  }

  void block(const std::string& lines, int indent) {
    auto parts = split(lines, '\n');
    if (parts.back().empty()) parts.pop_back();
    for (const std::string& line : parts) {
      text +=
          (line.empty() ? "" : std::string(static_cast<std::size_t>(indent), ' ') + line) + "\n";
    }
  }
};

}  // namespace

std::string yaml_text(const Json& value) {
  Writer writer;
  if (value.is_object() && !value.empty()) {
    writer.members(value, 0);
  } else {
    writer.value(value, 0);
    writer.text.erase(0, 1);  // the blank or the newline after a key that is not there
  }
  return writer.text;
}

}  // namespace plumb::console
