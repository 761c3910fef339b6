#pragma once
/// What a recorded listing says about a folder.
#include <string>
#include <vector>

#include "drivers/git/repository.h"

namespace plumb::plan {

/// The value of Looked::listing: changes when a name comes, goes, or becomes another type.
[[nodiscard]] std::string listing_hash(const std::vector<git::NamedEntry>& entries);

}  // namespace plumb::plan
