#pragma once
/// Which folders hold a repository's objects: its own, `objects/info/alternates` followed, extra
/// ones.
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace plumb::git {

/// The paths of an alternates file: one a line, '#' comments, C-quoted when they begin with '"'.
/// A line that is quoted wrongly is left out, as Git does.
[[nodiscard]] std::vector<std::string> parse_alternates(std::string_view text);

/// Absolute, without repeats, the first of `roots` first. Folders that do not exist are left out.
/// invalid: alternates nested deeper than Git follows them.
[[nodiscard]] Result<std::vector<std::string>> object_folders(
    const std::vector<std::string>& roots);

}  // namespace plumb::git
