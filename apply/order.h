#pragma once
/// In which order the objects of a plan go to the cluster. Pure; private to apply/.
#include <vector>

#include "core/manifest.h"
#include "core/result.h"

namespace plumb::apply {

/// Before every wave: definitions and namespaces. Also the wave that the inventory remembers for
/// them, so that they are pruned last.
inline constexpr int kFoundation = -1'000'000;

struct Wave {
  int number = 0;  ///< kFoundation for definitions and namespaces
  std::vector<const Manifest*> objects;
};

[[nodiscard]] bool is_definition(const ObjectKey& key);  ///< a CustomResourceDefinition
[[nodiscard]] bool is_namespace(const ObjectKey& key);

/// The annotation plumbline.dev/wave, or 0. invalid: no integer between -1000 and 1000.
[[nodiscard]] Result<int> wave_of(const Manifest& manifest);

/// Lowest wave first. The pointers go into `objects`.
[[nodiscard]] Result<std::vector<Wave>> waves_of(const std::vector<Manifest>& objects);

}  // namespace plumb::apply
