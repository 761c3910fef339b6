#pragma once
/// Is an object well? The rules of kstatus for built-in kinds and for conditions. Pure.
#include <string>
#include <string_view>

namespace plumb::apply {

enum class Health {
  healthy,      ///< done, ready
  progressing,  ///< on its way
  failed,       ///< will not get well by itself
  missing,      ///< not there
};
[[nodiscard]] std::string_view to_string(Health health) noexcept;

struct HealthReport {
  Health health = Health::healthy;
  std::string message;  ///< "2 of 3 replicas are ready"
};

/// `live_json`: the whole object with its status; "" = missing.
[[nodiscard]] HealthReport assess(std::string_view live_json);

}  // namespace plumb::apply
