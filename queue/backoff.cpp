#include "queue/backoff.h"

#include <algorithm>
#include <random>

namespace plumb::queue {
namespace {

constexpr std::int64_t kBase = 200;
constexpr std::int64_t kCap = 60'000;

}  // namespace

std::int64_t next_backoff(std::int64_t last) {
  thread_local std::mt19937_64 random{std::random_device{}()};
  const std::int64_t most = std::max(kBase * 3, last * 3);
  return std::min(kCap, std::uniform_int_distribution<std::int64_t>(kBase, most)(random));
}

}  // namespace plumb::queue
