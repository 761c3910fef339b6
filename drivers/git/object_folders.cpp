#include "drivers/git/object_folders.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>

namespace plumb::git {
namespace {

namespace fs = std::filesystem;

constexpr int kDeepest = 5;  // Git's own limit
constexpr std::size_t kMaxFile = 1U << 20U;

std::optional<char> simple_escape(char c) {
  switch (c) {
    case 'a': return '\a';
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'v': return '\v';
    case '"': return '"';
    case '\\': return '\\';
    default: return std::nullopt;
  }
}

/// Git's quoting of paths: "a\tb\303\244". nullopt: not well quoted.
std::optional<std::string> unquote(std::string_view text) {
  std::string path;
  std::size_t at = 1;
  while (at < text.size() && text[at] != '"') {
    if (text[at] != '\\') {
      path += text[at++];
      continue;
    }
    if (++at >= text.size()) return std::nullopt;
    if (const auto plain = simple_escape(text[at])) {
      path += *plain;
      ++at;
      continue;
    }
    unsigned value = 0;
    if (at + 3 > text.size() || text[at] > '3') return std::nullopt;
    for (const std::size_t end = at + 3; at < end; ++at) {
      if (text[at] < '0' || text[at] > '7') return std::nullopt;
      value = value * 8 + static_cast<unsigned>(text[at] - '0');
    }
    path += static_cast<char>(value);
  }
  if (at + 1 != text.size()) return std::nullopt;
  return path;
}

std::string read_alternates(const fs::path& folder) {
  std::ifstream file(folder / "info" / "alternates", std::ios::binary);
  std::string text(kMaxFile, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

Result<> follow(const fs::path& folder, int depth, std::vector<std::string>& found) {
  std::error_code failed;
  const fs::path real = fs::canonical(folder, failed);
  if (failed) return {};
  if (std::find(found.begin(), found.end(), real.string()) != found.end()) return {};
  if (depth > kDeepest) {
    return fail(Errc::invalid, "alternates of '" + found.front() + "' are nested too deep");
  }
  found.push_back(real.string());
  for (const std::string& line : parse_alternates(read_alternates(real))) {
    const fs::path path(line);
    TRY(follow(path.is_absolute() ? path : real / path, depth + 1, found));
  }
  return {};
}

}  // namespace

std::vector<std::string> parse_alternates(std::string_view text) {
  std::vector<std::string> paths;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    if (line.front() != '"') {
      paths.emplace_back(line);
    } else if (auto path = unquote(line)) {
      paths.push_back(*std::move(path));
    }
  }
  return paths;
}

Result<std::vector<std::string>> object_folders(const std::vector<std::string>& roots) {
  std::vector<std::string> found;
  for (const std::string& root : roots) TRY(follow(root, 0, found));
  return found;
}

}  // namespace plumb::git
