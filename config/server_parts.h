#pragma once
/// Pieces of the server's file. Private to config/.
#include <filesystem>
#include <string>
#include <vector>

#include "config/reader.h"
#include "config/server_config.h"

namespace plumb::config {

/// `path` as it stands in the file whose folder is `base`.
[[nodiscard]] std::string absolute_path(const std::filesystem::path& base, const std::string& path);

[[nodiscard]] RepositoryBinding read_binding(const Node& node,
                                             const std::vector<ClusterConfig>& clusters,
                                             const std::filesystem::path& base);

/// "did you mean …", or the names there are.
[[nodiscard]] std::string hint_for(std::string_view word, const std::vector<std::string>& known);

}  // namespace plumb::config
