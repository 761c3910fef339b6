#pragma once
/// What changes between two plans of one application, field by field. Pure.
#include <string>
#include <vector>

#include "core/plan.h"

namespace plumb::plan {

struct FieldChange {
  std::string path;    ///< "spec.template.spec.containers[web].image"
  std::string before;  ///< JSON text of the value, cut to 120 bytes; "" = was not there
  std::string after;   ///< "" = is gone
};

struct ObjectChange {
  enum class Op { add, change, remove } op = Op::change;
  ObjectKey key;
  Place place;                      ///< in the new tree; in the old one when removed
  std::vector<FieldChange> fields;  ///< at most 50; only with `change`
  bool masked = false;              ///< a tainted object: paths are named, values are not
};

/// Sorted by identity. `before` may be empty (first plan).
[[nodiscard]] std::vector<ObjectChange> diff_objects(const std::vector<Manifest>& before,
                                                     const std::vector<Manifest>& after);

}  // namespace plumb::plan
