#pragma once
/// How many calls may be under way at once: grows slowly while the server is well, shrinks fast
/// when it says "too much" (additive increase, multiplicative decrease). Pure; one thread.
#include <chrono>

namespace plumb::kube {

class Limiter {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Bounds {
    double start = 16;
    double least = 1;
    double most = 64;
  };

  Limiter() : Limiter(Bounds{}) {}
  explicit Limiter(Bounds bounds) : bounds_(bounds), limit_(bounds.start) {}

  /// May one more start at `now`?
  [[nodiscard]] bool has_room(Time now) const { return now >= hold_until_ && active_ < limit(); }
  [[nodiscard]] int limit() const { return static_cast<int>(limit_); }
  [[nodiscard]] int active() const { return active_; }
  [[nodiscard]] Time hold_until() const { return hold_until_; }

  void started() { ++active_; }
  enum class Ended { well, overloaded, lost };  ///< lost: no answer in time, or no connection
  /// `wait`: what Retry-After asked for; nothing starts before it has passed.
  void ended(Ended how, std::chrono::milliseconds took, std::chrono::milliseconds wait, Time now);

 private:
  Bounds bounds_;
  double limit_;
  int active_ = 0;
  Time hold_until_{};
  Time shrunk_at_{};
};

}  // namespace plumb::kube
