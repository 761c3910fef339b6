#include "hooks/settings.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>

#include "core/text.h"

namespace plumb::hooks {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxConfig = 1U << 20U;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::string lower(std::string_view text) {
  std::string made(text);
  std::transform(made.begin(), made.end(), made.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return made;
}

/// A value as git writes it: quotes, backslashes, comments.
std::string value_of(std::string_view text) {
  std::string value;
  std::size_t kept = 0;  // trailing blanks count only within quotes
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '"') {
      quoted = !quoted;
      continue;
    }
    if (!quoted && (c == '#' || c == ';')) break;
    if (c == '\\' && i + 1 < text.size()) {
      c = text[++i];
      if (c == 'n') c = '\n';
      if (c == 't') c = '\t';
      value += c;
      kept = value.size();
      continue;
    }
    value += c;
    if (quoted || (c != ' ' && c != '\t' && c != '\r')) kept = value.size();
  }
  value.resize(kept);
  return value;
}

void take(Settings& settings, const std::string& key, const std::string& value) {
  if (key == "socket") settings.socket = value;
  if (key == "whendown") settings.refuse_when_down = value != "accept";
  if (key == "branches" && !value.empty()) settings.branches.push_back(value);
  if (key == "deadline" && parse_time(value) > 0ms) settings.deadline = parse_time(value);
  if (key == "wait" && (parse_time(value) > 0ms || value.starts_with('0')))
    settings.wait = parse_time(value);
}

}  // namespace

std::chrono::milliseconds parse_time(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (error != std::errc() || number < 0 || number > 86'400'000) return 0ms;
  std::chrono::milliseconds time = 0ms;
  if (unit == "ms") time = std::chrono::milliseconds(number);
  if (unit.empty() || unit == "s") time = std::chrono::seconds(number);
  if (unit == "m") time = std::chrono::minutes(number);
  if (unit == "h") time = std::chrono::hours(number);
  return time > 24h ? 0ms : time;
}

Settings parse_settings(std::string_view config) {
  Settings settings;
  bool ours = false;
  while (!config.empty()) {
    const auto end = config.find('\n');
    std::string_view line = trimmed(config.substr(0, end));
    config = end == std::string_view::npos ? std::string_view() : config.substr(end + 1);
    if (line.starts_with('[')) {
      ours = lower(line.substr(0, line.find(']') + 1)) == "[plumbline]";
      line = trimmed(line.substr(std::min(line.size(), line.find(']') + 1)));
    }
    if (!ours || line.empty() || line.front() == '#' || line.front() == ';') continue;
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    take(settings, lower(trimmed(line.substr(0, equals))),
         value_of(trimmed(line.substr(equals + 1))));
  }
  return settings;
}

Result<Settings> read_settings(const std::string& repository) {
  std::ifstream file(repository + "/config", std::ios::binary);
  std::string text(kMaxConfig, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  Settings settings = parse_settings(text);
  if (!settings.socket.empty()) return settings;
  return fail(Errc::invalid, "this repository does not say which plumbd to ask", "",
              "plumb hooks install <this repository>");
}

bool deploys(const Settings& settings, std::string_view ref) {
  constexpr std::string_view kHeads = "refs/heads/";
  if (!ref.starts_with(kHeads)) return settings.branches.empty() && ref.starts_with("refs/tags/");
  ref.remove_prefix(kHeads.size());
  return settings.branches.empty() || std::find(settings.branches.begin(), settings.branches.end(),
                                                ref) != settings.branches.end();
}

}  // namespace plumb::hooks
