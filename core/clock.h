#pragma once
/// Time, passed in so that tests decide what time it is. Wall time is for people and for stored
/// deadlines; steady time is for intervals inside one process.
#include <chrono>
#include <cstdint>
#include <string>

namespace plumb {

/// Unix milliseconds, UTC: the only unit of time in SQL and JSON.
using UnixMillis = std::int64_t;

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual UnixMillis now() const = 0;                                // wall
  [[nodiscard]] virtual std::chrono::steady_clock::time_point steady() const = 0;  // interval
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] UnixMillis now() const override;
  [[nodiscard]] std::chrono::steady_clock::time_point steady() const override;
};

/// "2026-11-24T10:14:02.410Z"
[[nodiscard]] std::string rfc3339(UnixMillis time);

}  // namespace plumb
