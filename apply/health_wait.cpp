#include <nlohmann/json.hpp>

#include "apply/attempt.h"
#include "apply/health.h"
#include "apply/health_rules.h"
#include "core/failpoint.h"

namespace plumb::apply {
namespace {

/// A finished Job may be deleted by its own time to live before we look.
bool may_vanish(const Manifest& manifest) {
  return manifest.key.group() == "batch" && manifest.key.kind == "Job" &&
         manifest.json.find("\"ttlSecondsAfterFinished\"") != std::string::npos;
}

Result<> during_health() {
  FAILPOINT("apply.during_health");
  return {};
}

}  // namespace

/// Also what was not applied now: an attempt before this one may have ended in the middle of
/// waiting.
std::vector<ObjectKey> Attempt::unsure() const {
  std::vector<ObjectKey> keys;
  for (const Manifest& manifest : request_.plan.objects) {
    const auto it = sure_.find(manifest.key.identity());
    const bool sure = it != sure_.end() ? it->second : !has_health_rule(manifest.key);
    if (!sure) keys.push_back(manifest.key);
  }
  return keys;
}

Result<> Attempt::wait_for_health() {
  const std::vector<ObjectKey> keys = unsure();
  if (keys.empty()) return {};
  TRY(before_call());
  std::map<std::string, std::pair<ObjectKey, HealthReport>> open;
  for (const ObjectKey& key : keys)
    open[key.identity()] = {key, {Health::progressing, "not looked at yet"}};
  std::set<std::string> may_go;
  for (const Manifest& manifest : request_.plan.objects) {
    if (may_vanish(manifest)) may_go.insert(manifest.key.identity());
  }
  const auto first = [&] {
    const auto& [key, report] = open.begin()->second;
    return key.title() + ": " + report.message +
           (open.size() > 1 ? " (and " + std::to_string(open.size() - 1) + " more)" : "");
  };
  say("health", "waiting for " + first());
  Result<> broken;
  const auto deadline = std::chrono::steady_clock::now() + request_.plan.application.health_timeout;
  TRY(cluster_.watch(keys, deadline, stop_, [&](const ObjectKey& key, const std::string& live) {
    broken = during_health();
    if (!broken) return true;
    const std::string identity = key.identity();
    HealthReport report = assess(live);
    if (report.health == Health::missing && may_go.contains(identity))
      report.health = Health::healthy;
    if (report.health == Health::failed) {
      broken = fail(Errc::invalid, key.title() + ": " + report.message);
      return true;
    }
    // An object that was well may have become unwell again: the last word counts.
    if (report.health == Health::healthy)
      open.erase(identity);
    else
      open[identity] = {key, report};
    if (!open.empty()) say("health", "waiting for " + first());
    return open.empty();
  }));
  TRY(std::move(broken));
  if (open.empty()) return {};
  if (stop_.stop_requested()) return before_call();
  health_deadline_passed_ = true;
  return fail(Errc::unavailable,
              "not healthy within " +
                  std::to_string(request_.plan.application.health_timeout.count() / 1000) +
                  " s: " + first());
}

}  // namespace plumb::apply
