#pragma once
/// Loose objects through libgit2, which (1.5) turns for ever in one whose compressed stream ends
/// too early, as a full disk or a lost write leaves it. Such an object is refused before it is
/// read.
#include <string>

struct git_odb_backend;

namespace plumb::git {

/// A backend for `folder`, owned by the object store that it is added to; 0, or libgit2's error.
int make_loose_backend(git_odb_backend** out, const std::string& folder);

}  // namespace plumb::git
