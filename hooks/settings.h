#pragma once
/// What `plumb hooks install` wrote into the repository: section [plumbline] of its config file.
/// Read directly, because starting `git config` would cost more than everything else a hook does.
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace plumb::hooks {

struct Settings {
  std::string socket;
  bool refuse_when_down = true;
  std::vector<std::string> branches;  ///< that deploy; empty: every branch might
  std::chrono::milliseconds deadline{20'000};
  std::chrono::milliseconds wait{10'000};
};

/// Pure. Other sections and keys are skipped; a value that makes no sense keeps its default.
[[nodiscard]] Settings parse_settings(std::string_view config);

/// invalid: no socket is named, so the hooks were never installed here.
Result<Settings> read_settings(const std::string& repository);

/// "60s", "5m", "500ms", "20"; 0 when it is none or longer than a day.
[[nodiscard]] std::chrono::milliseconds parse_time(std::string_view text);

[[nodiscard]] bool deploys(const Settings& settings, std::string_view ref);

}  // namespace plumb::hooks
