#pragma once
/// One finding about one place in a push.
#include <string>
#include <string_view>
#include <vector>

#include "core/place.h"

namespace plumb {

enum class Effect { deny, warn };
[[nodiscard]] std::string_view to_string(Effect effect) noexcept;

struct Verdict {
  Effect effect = Effect::deny;
  std::string
      rule;  ///< "yaml.syntax", "schema.unknown", "schema.type", "render.failed", "owner.conflict"
  std::string application;  ///< AppId::to_string(), or empty when it concerns the repository
  std::string object;       ///< ObjectKey::title(), or empty
  std::string field;        ///< "spec.template.spec.containers[0].image", or empty
  Place place;
  std::string message;  ///< what is wrong: "no such key in Deployment.spec (apps/v1, 1.34)"
  std::string hint;     ///< how to fix it: `did you mean "replicas"?`, or empty
  std::string subject;  ///< the text on the line that the message is about ("replica"), or empty

  bool operator==(const Verdict&) const = default;
};

[[nodiscard]] inline bool any_denied(const std::vector<Verdict>& verdicts) {
  for (const Verdict& verdict : verdicts) {
    if (verdict.effect == Effect::deny) return true;
  }
  return false;
}

}  // namespace plumb
