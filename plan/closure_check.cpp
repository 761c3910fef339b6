#include <optional>
#include <string>
#include <string_view>

#include "plan/listing.h"
#include "plan/tree_source.h"

namespace plumb::plan {
namespace {

/// The entry at a recorded path. Recorded paths have no links in them: links were recorded by
/// themselves, so one that stands in the way now is a change.
struct Physical {
  std::optional<git::Entry> entry;
  bool through_link = false;
};

Result<Physical> physical(git::Repository& repository,
                          const std::string& root,
                          std::string_view path) {
  git::Entry at{git::Kind::tree, root};
  while (!path.empty()) {
    if (at.kind == git::Kind::symlink) return Physical{std::nullopt, true};
    if (at.kind != git::Kind::tree) return Physical{};
    const auto slash = path.find('/');
    auto next = TRY(repository.find(at.oid, std::string(path.substr(0, slash))));
    if (!next || next->kind == git::Kind::submodule) return Physical{};
    at = *std::move(next);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  return Physical{std::move(at), false};
}

}  // namespace

Result<bool> holds(const ClosureEntry& looked,
                   git::Repository& repository,
                   const std::string& tree) {
  const Physical now = TRY(physical(repository, tree, looked.path));
  if (now.through_link) return false;
  const auto is = [&](git::Kind kind) { return now.entry && now.entry->kind == kind; };
  switch (looked.looked) {
    case Looked::absent: return !now.entry.has_value();
    case Looked::folder: return is(git::Kind::tree);
    case Looked::link: return is(git::Kind::symlink) && now.entry->oid == looked.value;
    case Looked::file:
      return (is(git::Kind::blob) || is(git::Kind::executable)) && now.entry->oid == looked.value;
    case Looked::listing: break;
  }
  if (!is(git::Kind::tree)) return false;
  return listing_hash(TRY(repository.list(now.entry->oid))) == looked.value;
}

Result<bool> holds(const Closure& closure,
                   git::Repository& repository,
                   const std::string& tree_oid) {
  for (const ClosureEntry& looked : closure) {
    if (!TRY(holds(looked, repository, tree_oid))) return false;
  }
  return true;
}

}  // namespace plumb::plan
