#include "drivers/kube/limiter.h"

#include "tests/support/catch.h"

using namespace plumb::kube;
using namespace std::chrono_literals;
using Ended = Limiter::Ended;

namespace {
constexpr Limiter::Time kStart = Limiter::Time() + std::chrono::hours(1);
}

TEST_CASE("the limit halves when the server is overloaded, once per burst, and never below one") {
  Limiter limiter({8, 1, 64});
  for (int i = 0; i < 8; ++i) limiter.started();
  CHECK_FALSE(limiter.has_room(kStart));
  for (int i = 0; i < 8; ++i) limiter.ended(Ended::overloaded, 5ms, 0ms, kStart);
  CHECK(limiter.limit() == 4);
  for (int i = 1; i < 20; ++i) {
    limiter.started();
    limiter.ended(Ended::overloaded, 5ms, 0ms, kStart + i * 1s);
  }
  CHECK(limiter.limit() == 1);
  CHECK(limiter.has_room(kStart + 60s));
}

TEST_CASE("the limit grows only while it is what holds calls back, up to its most") {
  Limiter limiter({2, 1, 4});
  limiter.started();
  limiter.ended(Ended::well, 5ms, 0ms, kStart);
  CHECK(limiter.limit() == 2);  // there was room: nothing learned
  for (int round = 0; round < 100; ++round) {
    while (limiter.has_room(kStart)) limiter.started();
    limiter.ended(Ended::well, 5ms, 0ms, kStart);
  }
  CHECK(limiter.limit() == 4);
}

TEST_CASE("slow answers do not make it grow") {
  Limiter limiter({2, 1, 4});
  for (int round = 0; round < 100; ++round) {
    while (limiter.has_room(kStart)) limiter.started();
    limiter.ended(Ended::well, 2s, 0ms, kStart);
  }
  CHECK(limiter.limit() == 2);
}

TEST_CASE("after a Retry-After nothing starts before it has passed") {
  Limiter limiter;
  limiter.started();
  limiter.ended(Ended::overloaded, 5ms, 3s, kStart);
  CHECK_FALSE(limiter.has_room(kStart + 2s));
  CHECK(limiter.has_room(kStart + 3s));
  limiter.started();
  limiter.ended(Ended::overloaded, 5ms, std::chrono::hours(1), kStart + 4s);
  CHECK(limiter.has_room(kStart + 35s));  // nobody stops us for an hour
}
