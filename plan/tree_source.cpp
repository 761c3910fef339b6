#include "plan/tree_source.h"

#include <deque>
#include <utility>

#include "core/text.h"
#include "drivers/crypto/crypto.h"
#include "plan/listing.h"

namespace plumb::plan {
namespace {

constexpr int kMaxHops = 40;              // as the kernel's
constexpr std::size_t kMaxTarget = 4096;  // PATH_MAX
constexpr std::size_t kMaxParts = 4096;

/// A folder on the way: its own path and tree.
struct Folder {
  std::string path;
  std::string tree;
};

std::string below(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + "/" + name;
}

std::deque<std::string> parts_of(std::string_view path) {
  std::deque<std::string> parts;
  for (std::string& part : split(path, '/')) {
    if (!part.empty() && part != ".") parts.push_back(std::move(part));
  }
  return parts;
}

std::string quoted(std::string_view path) {
  return "'" + printable(path) + "'";
}

}  // namespace

std::string listing_hash(const std::vector<git::NamedEntry>& entries) {
  std::string lines;
  for (const git::NamedEntry& entry : entries) {
    std::string_view type = "file";
    switch (entry.entry.kind) {
      case git::Kind::submodule: continue;  // its folder is not there
      case git::Kind::tree: type = "folder"; break;
      case git::Kind::symlink: type = "link"; break;
      case git::Kind::blob:
      case git::Kind::executable: break;
    }
    lines += entry.name;
    lines += '\0';
    lines += type;
    lines += '\n';
  }
  return crypto::sha256_hex(lines);
}

/// One walk along a path, component by component, links followed as they come.
struct TreeSource::Step {
  TreeSource& source;
  std::string_view asked;
  std::vector<Folder> at;
  std::deque<std::string> ahead;
  int hops = 0;

  Result<std::optional<Found>> walk() {
    if (asked.find('\0') != std::string_view::npos)
      return fail(Errc::invalid, "a path holds a zero byte");
    at.push_back({"", source.tree_});
    ahead = parts_of(asked);
    while (!ahead.empty()) {
      if (ahead.size() > kMaxParts)
        return fail(Errc::invalid, quoted(asked) + " is too long a path");
      const std::string name = std::move(ahead.front());
      ahead.pop_front();
      if (name == "..") {
        if (at.size() == 1) return outside();
        TRY(source.record(Looked::folder, at.back().path, ""));
        at.pop_back();
        continue;
      }
      const std::string path = below(at.back().path, name);
      const auto entry = TRY(source.repository_.find(at.back().tree, name));
      if (!entry || entry->kind == git::Kind::submodule) return TRY(absent(path));
      if (entry->kind == git::Kind::symlink) {
        TRY(follow(path, entry->oid));
      } else if (entry->kind == git::Kind::tree) {
        at.push_back({path, entry->oid});
      } else if (!ahead.empty()) {  // nothing is below a file, until it becomes a link or a folder
        TRY(source.record(Looked::file, path, entry->oid));
        return std::optional<Found>();
      } else {
        return std::optional<Found>(Found{Found::Type::file, path, entry->oid});
      }
    }
    return std::optional<Found>(Found{Found::Type::folder, at.back().path, at.back().tree});
  }

  Result<std::optional<Found>> absent(const std::string& path) {
    TRY(source.record(Looked::absent, path, ""));
    return std::optional<Found>();
  }

  Result<> follow(const std::string& path, const std::string& oid) {
    TRY(source.record(Looked::link, path, oid));
    if (++hops > kMaxHops)
      return fail(Errc::invalid, quoted(asked) + " goes through too many symbolic links", path);
    const std::string target = TRY(source.repository_.blob(oid, kMaxTarget));
    if (target.starts_with('/')) {
      return fail(Errc::invalid, quoted(path) + " is a symbolic link out of the repository", path,
                  "link to a path inside the repository, relative to the link's folder");
    }
    if (target.empty() || target.find('\0') != std::string::npos) {
      return fail(Errc::invalid, quoted(path) + " is a broken symbolic link", path);
    }
    auto parts = parts_of(target);
    ahead.insert(ahead.begin(), std::make_move_iterator(parts.begin()),
                 std::make_move_iterator(parts.end()));
    return {};
  }

  [[nodiscard]] Failure outside() const {
    return fail(Errc::invalid, quoted(asked) + " is outside of the repository", "",
                "everything that an application uses must be in its own repository");
  }
};

TreeSource::TreeSource(git::Repository& repository, std::string tree_oid, ReadLimits limits)
    : repository_(repository), tree_(std::move(tree_oid)), limits_(limits) {}

Result<> TreeSource::record(Looked looked, const std::string& path, std::string value) {
  seen_.insert({looked, path, std::move(value)});
  if (seen_.size() <= limits_.max_looks) return {};
  return fail(Errc::invalid,
              "more than " + std::to_string(limits_.max_looks) + " paths were looked at");
}

Result<std::optional<TreeSource::Found>> TreeSource::look(std::string_view path) {
  auto found = TRY(Step{*this, path, {}, {}}.walk());
  if (!found) return found;
  const bool folder = found->type == Found::Type::folder;
  TRY(record(folder ? Looked::folder : Looked::file, found->path, folder ? "" : found->oid));
  return found;
}

Result<std::string> TreeSource::read(std::string_view path) {
  const auto found = TRY(look(path));
  if (!found) return fail(Errc::invalid, quoted(path) + " does not exist");
  if (found->type == Found::Type::folder) return fail(Errc::invalid, quoted(path) + " is a folder");
  auto blob = repository_.blob(found->oid, limits_.max_file_bytes);
  if (!blob && blob.error().code == Errc::invalid) {
    return fail(Errc::invalid,
                quoted(path) + " is larger than " + std::to_string(limits_.max_file_bytes >> 20U) +
                    " MB, or broken",
                found->path);
  }
  auto bytes = TRY(std::move(blob));
  total_bytes_ += bytes.size();
  if (total_bytes_ > limits_.max_total_bytes) {
    return fail(Errc::invalid,
                "more than " + std::to_string(limits_.max_total_bytes >> 20U) + " MB were read");
  }
  return bytes;
}

Result<std::vector<TreeSource::Name>> TreeSource::list(std::string_view folder) {
  const auto found = TRY(Step{*this, folder, {}, {}}.walk());
  if (!found) return fail(Errc::invalid, quoted(folder) + " does not exist");
  if (found->type == Found::Type::file) {
    TRY(record(Looked::file, found->path, found->oid));
    return fail(Errc::invalid, quoted(folder) + " is no folder");
  }
  const auto entries = TRY(repository_.list(found->oid));
  TRY(record(Looked::listing, found->path, listing_hash(entries)));
  std::vector<Name> names;
  names.reserve(entries.size());
  for (const git::NamedEntry& entry : entries) {
    if (entry.entry.kind == git::Kind::submodule) continue;
    Name name{entry.name,
              entry.entry.kind == git::Kind::tree ? Found::Type::folder : Found::Type::file};
    if (entry.entry.kind == git::Kind::symlink) {
      const auto target = look(below(found->path, entry.name));
      if (!target && target.error().code != Errc::invalid) return Failure(target.error());
      name.broken = !target || !*target;
      if (!name.broken) name.type = (*target)->type;
    }
    names.push_back(std::move(name));
  }
  return names;
}

Closure TreeSource::take_closure() {
  Closure closure(seen_.begin(), seen_.end());
  seen_.clear();
  return closure;
}

}  // namespace plumb::plan
