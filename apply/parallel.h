#pragma once
/// The same call on many things at once. Private to apply/.
#include <cstddef>
#include <functional>
#include <vector>

namespace plumb::apply {

/// Runs `call(i)` for every i below `count` on at most `threads` threads, and `finished` on the
/// caller's thread with the indexes that have ended since the last time. Returns when all have.
/// Neither may throw.
void for_all(std::size_t count,
             int threads,
             const std::function<void(std::size_t)>& call,
             const std::function<void(const std::vector<std::size_t>&)>& finished);

}  // namespace plumb::apply
