#pragma once
/// A clock that stands still until the test moves it. Any thread.
#include <atomic>

#include "core/clock.h"

namespace plumb::test {

class FakeClock final : public Clock {
 public:
  [[nodiscard]] UnixMillis now() const override { return now_; }
  [[nodiscard]] std::chrono::steady_clock::time_point steady() const override {
    return std::chrono::steady_clock::time_point(std::chrono::milliseconds(now_.load()));
  }
  void advance(std::chrono::milliseconds by) { now_ += by.count(); }

 private:
  std::atomic<UnixMillis> now_{1'790'000'000'000};
};

}  // namespace plumb::test
