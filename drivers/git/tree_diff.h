#pragma once
/// The difference of two trees: descends only into folders that differ.
#include <string>
#include <vector>

#include "drivers/git/repository.h"

namespace plumb::git {

/// Reads through Repository::list. A zero oid is the empty tree.
[[nodiscard]] Result<std::vector<TreeChange>> diff_trees(Repository& repository,
                                                         const std::string& old_tree,
                                                         const std::string& new_tree,
                                                         std::size_t limit);

}  // namespace plumb::git
