#include "drivers/git/raw_objects.h"

#include <algorithm>
#include <charconv>

#include "core/oid.h"

namespace plumb::git {
namespace {

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

/// "Ana <ana@x> 1700000000 +0100"
void parse_person(std::string_view line, std::string& name, std::string& email, std::int64_t& at) {
  const auto open = line.find('<');
  const auto close = line.rfind('>');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return;
  name = line.substr(0, open);
  while (name.ends_with(' ')) name.pop_back();
  email = line.substr(open + 1, close - open - 1);
  std::string_view rest = line.substr(close + 1);
  if (rest.starts_with(' ')) rest.remove_prefix(1);
  std::from_chars(rest.data(), rest.data() + rest.size(), at);
}

}  // namespace

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.front() != '-' &&
         name.find_first_of(std::string_view(":{\0\n", 4)) == std::string_view::npos;
}

std::optional<Kind> kind_of_mode(unsigned mode) {
  switch (mode & 0170000U) {
    case 0040000U: return Kind::tree;
    case 0120000U: return Kind::symlink;
    case 0160000U: return Kind::submodule;
    case 0100000U: return (mode & 0111U) != 0 ? Kind::executable : Kind::blob;
    default: return std::nullopt;
  }
}

Result<std::vector<NamedEntry>> parse_tree(std::string_view raw, std::size_t oid_bytes) {
  std::vector<NamedEntry> entries;
  while (!raw.empty()) {
    unsigned mode = 0;
    const auto [after, code] = std::from_chars(raw.data(), raw.data() + raw.size(), mode, 8);
    const auto space = static_cast<std::size_t>(after - raw.data());
    const auto end = raw.find('\0');
    const auto kind = kind_of_mode(mode);
    if (code != std::errc() || space >= raw.size() || raw[space] != ' ' || !kind ||
        end == std::string_view::npos || end < space + 2 || end + 1 + oid_bytes > raw.size()) {
      return fail(Errc::invalid, "a broken tree object");
    }
    entries.push_back({std::string(raw.substr(space + 1, end - space - 1)),
                       {*kind, to_hex(raw.substr(end + 1, oid_bytes))}});
    raw.remove_prefix(end + 1 + oid_bytes);
  }
  std::sort(entries.begin(), entries.end(),
            [](const NamedEntry& a, const NamedEntry& b) { return a.name < b.name; });
  return entries;
}

Result<RawCommit> parse_commit(const std::string& oid, std::string_view raw) {
  RawCommit commit;
  commit.info.oid = oid;
  std::string ignored_name;
  std::string ignored_email;
  std::int64_t authored_at = 0;
  while (!raw.empty() && raw.front() != '\n') {
    const auto end = std::min(raw.find('\n'), raw.size());
    const std::string_view line = raw.substr(0, end);
    raw.remove_prefix(std::min(end + 1, raw.size()));
    if (line.starts_with("tree ")) commit.info.tree = line.substr(5);
    if (line.starts_with("parent ")) commit.parents.emplace_back(line.substr(7));
    if (line.starts_with("author ")) {
      parse_person(line.substr(7), commit.info.author_name, commit.info.author_email, authored_at);
    }
    if (line.starts_with("committer ")) {
      parse_person(line.substr(10), ignored_name, ignored_email, commit.info.committed_at);
    }
  }
  while (raw.starts_with('\n')) raw.remove_prefix(1);
  commit.info.summary = raw.substr(0, raw.find('\n'));
  if (!is_oid(commit.info.tree)) return fail(Errc::invalid, "a broken commit object " + oid);
  return commit;
}

std::string tag_target(std::string_view raw) {
  if (!raw.starts_with("object ")) return "";
  return std::string(raw.substr(7, raw.find('\n') - 7));
}

}  // namespace plumb::git
