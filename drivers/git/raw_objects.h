#pragma once
/// Git's own texts of trees, commits and tags, read without a library.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/git/repository.h"

namespace plumb::git {

/// May this be looked up as a revision? ':' and '{' begin searches through paths, messages and
/// reflogs, and a leading '-' is an option.
[[nodiscard]] bool is_plain_name(std::string_view name);

/// Of a file mode ("100644"); nullopt: a mode that Git does not write.
[[nodiscard]] std::optional<Kind> kind_of_mode(unsigned mode);

/// `oid_bytes` is 20 or 32. Sorted by name. invalid: broken.
[[nodiscard]] Result<std::vector<NamedEntry>> parse_tree(std::string_view raw,
                                                         std::size_t oid_bytes);

struct RawCommit {
  CommitInfo info;
  std::vector<std::string> parents;
};
[[nodiscard]] Result<RawCommit> parse_commit(const std::string& oid, std::string_view raw);

/// The object that an annotated tag names; "" when broken.
[[nodiscard]] std::string tag_target(std::string_view raw);

}  // namespace plumb::git
