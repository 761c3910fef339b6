#include "hooks/environment.h"

#include <algorithm>
#include <climits>
#include <cstdlib>

#include <unistd.h>

#include "core/text.h"
#include "hooks/settings.h"

namespace plumb::hooks {
namespace {

using namespace std::chrono_literals;

constexpr int kMaxOptions = 16;
constexpr std::size_t kMaxOption = 1024;
constexpr std::string_view kPrefix = "plumb.";

std::string variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::string() : std::string(value);
}

bool is_ours(const std::string& option) {
  if (option.size() > kMaxOption || !option.starts_with(kPrefix)) return false;
  const std::string_view word =
      std::string_view(option).substr(0, option.find('=')).substr(kPrefix.size());
  return !word.empty() &&
         word.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string_view::npos;
}

std::string absolute(const std::string& path) {
  char resolved[PATH_MAX];
  return ::realpath(path.c_str(), resolved) == nullptr ? std::string() : std::string(resolved);
}

/// What stands between C quotes from `at` on; `at` moves past the closing one.
std::string unquoted(std::string_view list, std::size_t& at) {
  std::string path;
  for (++at; at < list.size() && list[at] != '"'; ++at) {
    if (list[at] != '\\' || at + 1 >= list.size()) {
      path += list[at];
      continue;
    }
    const char c = list[++at];
    if (c >= '0' && c <= '3' && at + 2 < list.size()) {
      path += static_cast<char>((c - '0') * 64 + (list[at + 1] - '0') * 8 + (list[at + 2] - '0'));
      at += 2;
      continue;
    }
    constexpr std::string_view kLetters = "abtnvfr";
    constexpr std::string_view kBytes = "\a\b\t\n\v\f\r";
    const auto letter = kLetters.find(c);
    path += letter == std::string_view::npos ? c : kBytes[letter];
  }
  ++at;
  return path;
}

}  // namespace

std::vector<std::string> push_options() {
  std::vector<std::string> options;
  const int count = std::atoi(variable("GIT_PUSH_OPTION_COUNT").c_str());
  for (int i = 0; i < std::clamp(count, 0, kMaxOptions); ++i) {
    std::string option = variable("GIT_PUSH_OPTION_" + std::to_string(i));
    if (is_ours(option)) options.push_back(printable(option, kMaxOption));
  }
  return options;
}

std::chrono::milliseconds wait_of(const std::vector<std::string>& options,
                                  std::chrono::milliseconds otherwise) {
  constexpr std::string_view kTime = "plumb.wait=";
  for (const std::string& option : options) {
    if (option == "plumb.nowait") otherwise = 0ms;
    if (option == "plumb.wait") otherwise = 60s;
    if (!option.starts_with(kTime)) continue;
    const auto time = parse_time(std::string_view(option).substr(kTime.size()));
    otherwise = time > 0ms ? time : 60s;
  }
  return std::min<std::chrono::milliseconds>(otherwise, 1h);
}

bool has_reason(const std::vector<std::string>& options) {
  return std::any_of(options.begin(), options.end(),
                     [](const std::string& o) { return o.starts_with("plumb.reason="); });
}

Actor claimed_actor() {
  const auto named = [](const std::string& kind, const std::string& name) {
    return Actor{kind + ":" + printable(name, 100), printable(name, 100), Assurance::claimed};
  };
  if (!variable("GL_REPOSITORY").empty()) {
    if (const auto name = variable("GL_USERNAME"); !name.empty()) return named("gitlab", name);
    if (const auto id = variable("GL_ID"); !id.empty()) return named("gitlab", id);
  }
  if (const auto name = variable("GITEA_PUSHER_NAME"); !name.empty()) return named("gitea", name);
  if (const auto name = variable("GITHUB_USER_LOGIN"); !name.empty()) return named("github", name);
  if (const auto name = variable("GL_USER"); !name.empty() && !variable("GL_REPO").empty())
    return named("gitolite", name);
  if (const auto name = variable("REMOTE_USER"); !name.empty()) return named("http", name);
  return {"uid:" + std::to_string(::getuid()), printable(variable("USER"), 100),
          Assurance::claimed};
}

std::vector<std::string> split_folders(std::string_view list) {
  std::vector<std::string> folders;
  for (std::size_t at = 0; at < list.size();) {
    std::string folder;
    if (list[at] == '"') {
      folder = unquoted(list, at);
    } else {
      const auto end = std::min(list.find(':', at), list.size());
      folder = list.substr(at, end - at);
      at = end;
    }
    if (!folder.empty()) folders.push_back(std::move(folder));
    at = std::min(list.find(':', std::min(at, list.size())), list.size()) + 1;
  }
  return folders;
}

Objects pushed_objects() {
  Objects objects;
  if (const auto path = variable("GIT_QUARANTINE_PATH"); !path.empty())
    objects.quarantine = absolute(path);
  for (const std::string& folder : split_folders(variable("GIT_ALTERNATE_OBJECT_DIRECTORIES"))) {
    if (const auto path = absolute(folder); !path.empty()) objects.alternates.push_back(path);
  }
  return objects;
}

std::string repository_path() {
  const auto path = variable("GIT_DIR");
  return absolute(path.empty() ? "." : path);
}

}  // namespace plumb::hooks
