#pragma once
/// What libgit2 cannot read (SHA-256 objects, reftable refs), through the `git` program: one
/// `cat-file --batch` child for objects, short runs for refs and names.
#include <memory>
#include <string>
#include <vector>

#include "drivers/git/repository.h"

namespace plumb::git {

/// `git_dir` holds HEAD and config. `oid_digits` is 40 or 64.
Result<std::unique_ptr<Repository>> open_with_git(const std::string& git_dir,
                                                  const std::vector<std::string>& object_dirs,
                                                  std::size_t oid_digits);

}  // namespace plumb::git
