#pragma once
/// drivers/git: reads Git objects and refs. Never writes either.
///
///   Store    libgit2 on the repository's object folders, plus extra ones (a push's quarantine).
///            What libgit2 1.5 cannot read (SHA-256, reftable) goes through one `git cat-file
///            --batch` child behind the same class.
///   Paths    bytes from the root of the tree, '/' between parts, no leading slash, "" is the root.
///   Threads  one Repository belongs to one thread at a time; open as many as you like.
///   Errors   unavailable: not readable now; invalid: not found, too large, not a commit.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace plumb::git {

enum class Kind { blob, executable, symlink, tree, submodule };

struct Entry {
  Kind kind = Kind::blob;
  std::string oid;
};

struct NamedEntry {
  std::string name;
  Entry entry;
};

/// One path that differs between two trees. A folder that appears or goes is reported as the files
/// in it, or as itself when it is empty. `before`/`after` are nullopt where the path is not there.
struct TreeChange {
  std::string path;
  std::optional<Entry> before;
  std::optional<Entry> after;
};

struct CommitInfo {
  std::string oid;
  std::string tree;
  std::string author_name;
  std::string author_email;
  std::string summary;            ///< first line of the message
  std::int64_t committed_at = 0;  ///< Unix seconds
};

struct Ref {
  std::string name;
  std::string oid;  ///< of the object it names (an annotated tag is not peeled)
};

class Repository {
 public:
  /// `git_dir` is a bare repository or a .git folder; a work tree's root is accepted too.
  /// `object_dirs` are read besides the repository's own (absolute paths).
  static Result<std::unique_ptr<Repository>> open(const std::string& git_dir,
                                                  const std::vector<std::string>& object_dirs = {});
  virtual ~Repository() = default;

  /// The object a full ref name points to; nullopt if there is no such ref.
  virtual Result<std::optional<std::string>> ref(const std::string& name) = 0;
  virtual Result<std::vector<Ref>> refs() = 0;  ///< all under refs/, sorted
  /// Full ref, branch name, tag, HEAD, or (abbreviated) object id → commit id.
  virtual Result<std::string> resolve_commit(const std::string& name) = 0;
  virtual Result<CommitInfo> commit(const std::string& oid) = 0;  ///< tags are peeled
  virtual Result<bool> contains(const std::string& oid) = 0;
  /// Commits reachable from `newer` and not from `older` (zero oid: none), counted up to `limit`.
  virtual Result<int> count_commits(const std::string& older,
                                    const std::string& newer,
                                    int limit) = 0;

  virtual Result<std::vector<NamedEntry>> list(const std::string& tree) = 0;  ///< sorted by name
  /// One entry of a tree by its exact name; cheap in large folders.
  virtual Result<std::optional<Entry>> find(const std::string& tree, const std::string& name) = 0;
  virtual Result<std::string> blob(const std::string& oid, std::size_t max_bytes) = 0;

  /// Differences of two trees, renames as delete + add. A zero oid is the empty tree. Costs
  /// O(changed folders); fails with `invalid` past `limit` changes.
  virtual Result<std::vector<TreeChange>> diff(const std::string& old_tree,
                                               const std::string& new_tree,
                                               std::size_t limit = 1'000'000) = 0;
};

}  // namespace plumb::git
