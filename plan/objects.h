#pragma once
/// From what a file or an engine gave to checked manifests. Private to plan/.
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/place.h"
#include "core/verdict.h"
#include "drivers/yaml/yaml.h"
#include "plan/render.h"

namespace plumb::plan {

struct GivenObject {
  std::unique_ptr<nlohmann::json> value;  ///< never null
  Place place;
};

/// Appends the object, or the items of a List. `marks` may be null: items then stand where it
/// stands.
void add_given(std::unique_ptr<nlohmann::json> value,
               const yaml::Marks* marks,
               const Place& place,
               std::vector<GivenObject>& into);

struct ObjectRules {
  const Application& application;
  const ProjectKey& key;
  const IsNamespaced& is_namespaced;
};

/// Checks and names every object: canonical bytes, namespace, hash, place. What is wrong becomes a
/// verdict; an application without any object does too. Fills in `objects`, sorted by identity.
void name_objects(std::vector<GivenObject> given, const ObjectRules& rules, Rendered& rendered);

}  // namespace plumb::plan
