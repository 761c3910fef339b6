#pragma once
/// Where something stands in a repository.
#include <string>

namespace plumb {

struct Place {
  std::string file{};  ///< path from the repository's root, or empty when unknown
  int line = 0;        ///< 1-based; 0: the whole file
  int column = 0;      ///< 1-based; 0: the whole line

  [[nodiscard]] std::string to_string() const;  ///< "apps/web/deploy.yaml:14:3"
  bool operator==(const Place&) const = default;
};

}  // namespace plumb
