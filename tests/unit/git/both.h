#pragma once
/// The two ways to read a repository: libgit2 (SHA-1), and the git program (SHA-256).
#include <string>
#include <vector>

#include "drivers/git/repository.h"
#include "tests/support/must.h"
#include "tests/support/temp_repo.h"

namespace plumb::test {

inline std::vector<std::string> init_of(const std::string& format) {
  return {"--object-format=" + format};
}

/// The test runs once for each.
inline std::string each_format() {
  return GENERATE(as<std::string>(), "sha1", "sha256");
}

inline std::unique_ptr<git::Repository> open(const TempRepo& repo,
                                             const std::vector<std::string>& object_dirs = {}) {
  return must(git::Repository::open(repo.path(), object_dirs));
}

inline std::string zero_of(const std::string& oid) {
  return std::string(oid.size(), '0');
}

}  // namespace plumb::test
