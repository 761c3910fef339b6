#pragma once
/// The input closure of a render: exactly what it read from the tree. Same answers, same render.
#include <compare>
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

enum class Looked {
  file,     ///< read a file; value = blob object id
  listing,  ///< listed a folder; value = SHA-256 (hex) of its sorted "name\0type\n" lines (type:
            ///< file, folder, link), not of contents
  absent,   ///< looked for a path and nothing was there; value = ""
  folder,   ///< found a folder, whatever is in it; value = ""
  link,     ///< passed through a symbolic link; value = object id of the link's blob
};
[[nodiscard]] std::string_view to_string(Looked looked) noexcept;

struct ClosureEntry {
  Looked looked = Looked::file;
  std::string path;  ///< from the repository's root, resolved component by component
  std::string value;
  auto operator<=>(const ClosureEntry&) const = default;
};

/// Sorted, without repeats.
using Closure = std::vector<ClosureEntry>;

}  // namespace plumb
