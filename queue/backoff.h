#pragma once
/// Decorrelated jitter: the next wait is random between 0.2 s and three times the last, at most 60
/// s. Pure but for the random number.
#include <cstdint>

namespace plumb::queue {

/// Milliseconds. `last` is 0 at the first retry.
[[nodiscard]] std::int64_t next_backoff(std::int64_t last);

}  // namespace plumb::queue
