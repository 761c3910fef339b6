#include "drivers/kube/limiter.h"

#include <algorithm>

namespace plumb::kube {
namespace {

constexpr std::chrono::milliseconds kSlow{1000};  // an answer slower than this is no reason to grow
constexpr std::chrono::milliseconds kOneShrink{500};  // one burst of refusals counts once
constexpr std::chrono::milliseconds kLongestHold{30'000};

}  // namespace

void Limiter::ended(Ended how,
                    std::chrono::milliseconds took,
                    std::chrono::milliseconds wait,
                    Time now) {
  const bool was_full = active_ >= limit();
  active_ = std::max(0, active_ - 1);
  if (wait.count() > 0) hold_until_ = std::max(hold_until_, now + std::min(wait, kLongestHold));
  if (how == Ended::well) {
    // Growth only when the limit was what held us back: an idle client learns nothing.
    if (was_full && took < kSlow) limit_ = std::min(bounds_.most, limit_ + 1.0 / limit_);
    return;
  }
  if (now - shrunk_at_ < kOneShrink) return;
  shrunk_at_ = now;
  limit_ = std::max(bounds_.least, limit_ * (how == Ended::overloaded ? 0.5 : 0.7));
}

}  // namespace plumb::kube
