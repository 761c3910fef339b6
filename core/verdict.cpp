#include "core/verdict.h"

namespace plumb {

std::string_view to_string(Effect effect) noexcept {
  switch (effect) {
    case Effect::deny: return "deny";
    case Effect::warn: return "warn";
  }
  return "deny";
}

}  // namespace plumb
