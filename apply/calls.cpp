#include <condition_variable>
#include <mutex>
#include <random>

#include <nlohmann/json.hpp>

#include "apply/adopt.h"
#include "apply/attempt.h"
#include "core/failpoint.h"
#include "drivers/json/json.h"

namespace plumb::apply {
namespace {

constexpr int kQuickRetries = 3;
constexpr int kFirstPauseMs = 100;
constexpr const char* kNotTried = "not tried, since calls before it failed";

/// 503, 429, a lost connection, or two writers at once: the next try may well succeed.
bool may_pass(Errc code) {
  return code == Errc::unavailable || code == Errc::conflict;
}

}  // namespace

Result<> Attempt::before_call() {
  if (stop_.stop_requested()) {
    superseded_ = true;
    return fail(Errc::conflict, "stopped before the next call");
  }
  if (hopeless_) return fail(Errc::unavailable, kNotTried);
  if (!journal_.may_call(request_.call_timeout)) {
    hopeless_ = true;
    return fail(Errc::conflict, "the lease leaves no time for another call");
  }
  FAILPOINT("apply.between_patches");
  return {};
}

/// A Retry-After is kept by the cluster's client: there the next call waits in its queue.
void Attempt::pause(int attempt) {
  thread_local std::minstd_rand random{std::random_device{}()};
  const int most = kFirstPauseMs << attempt;
  const std::chrono::milliseconds time(std::uniform_int_distribution<int>(most / 2, most)(random));
  std::mutex mutex;
  std::condition_variable_any nobody;
  std::unique_lock lock(mutex);
  nobody.wait_for(lock, stop_, time, [] { return false; });
}

template <class T>
Result<T> Attempt::with_retries(const std::function<Result<T>()>& call) {
  for (int attempt = 0;; ++attempt) {
    TRY(before_call());
    auto answer = call();
    if (answer || !may_pass(answer.error().code)) return answer;
    if (attempt == kQuickRetries) {
      if (answer.error().code == Errc::unavailable) hopeless_ = true;
      return answer;
    }
    pause(attempt);
  }
}

Result<Live> Attempt::apply_one(const Manifest& manifest) {
  return with_retries<Live>([&] { return cluster_.apply(manifest, request_.call_timeout); });
}

/// Deletes only what is provably the object that we made.
Result<bool> Attempt::remove_one(const InventoryItem& item) {
  return with_retries<bool>([&]() -> Result<bool> {
    if (!item.uid.empty()) return cluster_.remove(item.key, item.uid);
    // An intent whose answer was never written: is there an object, and did we make it?
    const auto live = TRY(cluster_.get(item.key));
    if (!live) return false;
    const auto object = TRY(json::parse(live->json));
    if (!is_ours(object)) return false;
    return cluster_.remove(item.key, live->uid);
  });
}

Result<> Attempt::first_refusal() {
  if (refusals_.empty()) return {};
  // A permanent error says more than one that may pass, and that more than none at all.
  const auto weight = [](const Refusal& refusal) {
    if (!may_pass(refusal.error.code)) return 2;
    return refusal.error.message == kNotTried ? 0 : 1;
  };
  const Refusal* worst = &refusals_.front();
  for (const Refusal& refusal : refusals_) {
    if (weight(refusal) > weight(*worst)) worst = &refusal;
  }
  Error error = worst->error;
  std::string place;
  if (worst->manifest != nullptr && !worst->manifest->place.file.empty()) {
    place = worst->manifest->place.to_string();
  }
  error.message = worst->title + (place.empty() ? "" : " (" + place + ")") + ": " + error.message;
  if (!place.empty()) error.where = place;
  if (refusals_.size() > 1)
    error.message += " (and " + std::to_string(refusals_.size() - 1) + " more)";
  return Failure(std::move(error));
}

}  // namespace plumb::apply
