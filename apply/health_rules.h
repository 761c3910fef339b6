#pragma once
/// Which kinds can be anything but well, so that nobody watches a ConfigMap. Private to apply/.
#include "core/manifest.h"

namespace plumb::apply {

/// False for built-in kinds that are well as soon as they exist. Kinds we do not know have
/// conditions, perhaps, so they count.
[[nodiscard]] bool has_health_rule(const ObjectKey& key);

}  // namespace plumb::apply
