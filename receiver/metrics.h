#pragma once
/// The receiver's counters, and the text of /metrics. Any thread.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "core/guarded.h"
#include "receiver/receiver.h"

namespace plumb::receiver {

class Metrics {
 public:
  /// `forge`: "github", "gitea", "unknown"; `result`: "accepted", "duplicate", "ignored",
  /// "refused", "invalid", "unstored".
  void count(std::string_view forge, std::string_view result);
  [[nodiscard]] std::map<std::pair<std::string, std::string>, std::int64_t> counts() const;

 private:
  Guarded<std::map<std::pair<std::string, std::string>, std::int64_t>> counts_;
};

/// Prometheus text format 0.0.4. `gauges` null: left out.
[[nodiscard]] std::string metrics_text(const Metrics& metrics,
                                       const Gauges* gauges,
                                       std::string_view version);

}  // namespace plumb::receiver
