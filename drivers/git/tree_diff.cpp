#include "drivers/git/tree_diff.h"

#include <algorithm>
#include <utility>

#include "core/oid.h"

namespace plumb::git {
namespace {

constexpr int kDeepest = 512;  // folders in folders: what a path of 4096 bytes can hold, and more

class Walk {
 public:
  Walk(Repository& repository, std::size_t limit) : repository_(repository), limit_(limit) {}

  Result<> folders(const std::string& path,
                   const std::string& before,
                   const std::string& after,
                   int depth) {
    if (before == after) return {};
    if (depth > kDeepest)
      return fail(Errc::invalid, "folders are nested too deep at '" + path.substr(0, 80) + "…'");
    if (++folders_ > limit_) return too_many();
    const auto old_entries = TRY(entries(before));
    const auto new_entries = TRY(entries(after));
    auto a = old_entries.begin();
    auto b = new_entries.begin();
    while (a != old_entries.end() || b != new_entries.end()) {
      const bool take_a = b == new_entries.end() || (a != old_entries.end() && a->name <= b->name);
      const bool take_b = a == old_entries.end() || (b != new_entries.end() && b->name <= a->name);
      const std::string& name = take_a ? a->name : b->name;
      TRY(entry(path.empty() ? name : path + "/" + name, take_a ? &a->entry : nullptr,
                take_b ? &b->entry : nullptr, depth));
      if (take_a) ++a;
      if (take_b) ++b;
    }
    return {};
  }

  std::vector<TreeChange> take() { return std::move(changes_); }

 private:
  Result<std::vector<NamedEntry>> entries(const std::string& tree) {
    if (tree.empty()) return std::vector<NamedEntry>();
    return repository_.list(tree);
  }

  Result<> entry(const std::string& path, const Entry* before, const Entry* after, int depth) {
    if (before && after && before->kind == after->kind && before->oid == after->oid) return {};
    const bool old_folder = before && before->kind == Kind::tree;
    const bool new_folder = after && after->kind == Kind::tree;
    if (old_folder || new_folder) {
      const std::string old_tree = old_folder ? before->oid : "";
      const std::string new_tree = new_folder ? after->oid : "";
      if (old_tree.empty() || new_tree.empty())
        TRY(bare(path, old_tree.empty() ? new_tree : old_tree, new_folder));
      TRY(folders(path, old_tree, new_tree, depth + 1));
    }
    const auto as_change = [](const Entry* entry) {
      return entry && entry->kind != Kind::tree ? std::optional<Entry>(*entry) : std::nullopt;
    };
    TreeChange change{path, as_change(before), as_change(after)};
    if (!change.before && !change.after) return {};
    return add(std::move(change));
  }

  /// A folder that appears or goes and is empty.
  Result<> bare(const std::string& path, const std::string& tree, bool appears) {
    if (!TRY(entries(tree)).empty()) return {};
    const Entry entry{Kind::tree, tree};
    if (appears) return add({path, std::nullopt, entry});
    return add({path, entry, std::nullopt});
  }

  Result<> add(TreeChange change) {
    if (changes_.size() >= limit_) return too_many();
    changes_.push_back(std::move(change));
    return {};
  }

  Failure too_many() const {
    return fail(Errc::invalid, "more than " + std::to_string(limit_) + " paths differ");
  }

  Repository& repository_;
  std::size_t limit_;
  std::size_t folders_ = 0;
  std::vector<TreeChange> changes_;
};

}  // namespace

Result<std::vector<TreeChange>> diff_trees(Repository& repository,
                                           const std::string& old_tree,
                                           const std::string& new_tree,
                                           std::size_t limit) {
  Walk walk(repository, limit);
  TRY(walk.folders("", is_zero_oid(old_tree) ? "" : old_tree, is_zero_oid(new_tree) ? "" : new_tree,
                   0));
  return walk.take();
}

}  // namespace plumb::git
