#pragma once
/// The only way a render reads: files and folders of one Git tree, every look recorded.
///
///   Paths    relative to the repository's root, '/' separated; "." and ".." are resolved, ".."
///            above the root is an error. Symbolic links resolve inside the tree (at most 40 hops).
///   Record   every answer, also "not there", goes into the closure (core/closure.h).
///            Submodules are folders that are not there.
///   Limits   one file max_file_bytes, all of a render max_total_bytes.
///   Threads  one thread at a time.
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/closure.h"
#include "core/result.h"
#include "drivers/git/repository.h"

namespace plumb::plan {

struct ReadLimits {
  std::size_t max_file_bytes = 4U << 20U;
  std::size_t max_total_bytes = 64U << 20U;
  std::size_t max_looks = 100'000;
};

class TreeSource {
 public:
  struct Found {
    enum class Type { file, folder };
    Type type = Type::file;
    std::string path;  ///< after links were followed
    std::string oid;
  };
  struct Name {
    std::string name;
    Found::Type type = Found::Type::file;  ///< of what it leads to
    bool broken = false;                   ///< a link that leads nowhere, or out
  };

  TreeSource(git::Repository& repository, std::string tree_oid, ReadLimits limits = {});

  Result<std::optional<Found>> look(std::string_view path);  ///< nullopt: not there
  Result<std::string> read(std::string_view path);           ///< invalid: not there, or a folder
  Result<std::vector<Name>> list(std::string_view folder);   ///< sorted; invalid: not a folder

  /// What was looked at since the start or the last take_closure().
  [[nodiscard]] Closure take_closure();

 private:
  struct Step;
  Result<> record(Looked looked, const std::string& path, std::string value);
  git::Repository& repository_;
  std::string tree_;
  ReadLimits limits_;
  std::set<ClosureEntry> seen_;
  std::size_t total_bytes_ = 0;
};

/// True if every recorded answer would be the same in `tree_oid`: the render need not run.
Result<bool> holds(const Closure& closure,
                   git::Repository& repository,
                   const std::string& tree_oid);

/// The same for one recorded answer.
Result<bool> holds(const ClosureEntry& looked,
                   git::Repository& repository,
                   const std::string& tree_oid);

}  // namespace plumb::plan
