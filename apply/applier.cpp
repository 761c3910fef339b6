#include "apply/applier.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "apply/attempt.h"
#include "apply/health.h"
#include "apply/health_rules.h"
#include "apply/parallel.h"
#include "core/failpoint.h"
#include "core/log.h"
#include "core/text.h"
#include "drivers/json/json.h"

namespace plumb::apply {
namespace {

constexpr std::chrono::seconds kEstablishTime{60};

std::string sentence(const Counts& counts) {
  return std::to_string(counts.created) + " created, " + std::to_string(counts.configured) +
         " configured, " + std::to_string(counts.unchanged) + " unchanged, " +
         std::to_string(counts.pruned) + " pruned";
}

}  // namespace

Attempt::Attempt(const ApplyRequest& request,
                 Cluster& cluster,
                 Journal& journal,
                 std::stop_token stop)
    : request_(request), cluster_(cluster), journal_(journal), stop_(std::move(stop)) {
  for (const InventoryItem& item : request_.inventory) known_.emplace(item.key.identity(), &item);
  total_ = static_cast<int>(request_.plan.objects.size());
}

void Attempt::say(const std::string& phase, const std::string& message) {
  journal_.progress(phase, counts_, done_, total_, message);
}

bool Attempt::is_unchanged(const Manifest& manifest) const {
  if (request_.reapply_unchanged) return false;
  const auto it = known_.find(manifest.key.identity());
  return it != known_.end() && it->second->state == InventoryItem::State::applied &&
         it->second->hash == manifest.hash &&
         it->second->key.api_version == manifest.key.api_version;
}

InventoryItem Attempt::item_of(const Manifest& manifest, int wave) const {
  InventoryItem item;
  item.key = manifest.key;
  item.hash = manifest.hash;
  item.wave = wave;
  const auto it = known_.find(manifest.key.identity());
  if (it != known_.end()) {
    item.uid = it->second->uid;
    item.resource_version = it->second->resource_version;
  }
  return item;
}

Result<> Attempt::record(const std::vector<const Manifest*>& objects,
                         const std::vector<Result<Live>>& answers,
                         const std::vector<std::size_t>& ended,
                         int wave) {
  std::vector<InventoryItem> items;
  std::vector<std::string> audit_ids;
  for (const std::size_t i : ended) {
    const Manifest& manifest = *objects[i];
    const Result<Live>& answer = answers[i];
    if (!answer) {
      refusals_.push_back({&manifest, manifest.key.title(), answer.error()});
      continue;
    }
    InventoryItem item = item_of(manifest, wave);
    if (answer->created)
      ++counts_.created;
    else if (item.resource_version == answer->resource_version)
      ++counts_.unchanged;
    else
      ++counts_.configured;
    ++done_;
    sure_[manifest.key.identity()] =
        !has_health_rule(manifest.key) || assess(answer->json).health == Health::healthy;
    item.state = InventoryItem::State::applied;
    item.uid = answer->uid;
    item.resource_version = answer->resource_version;
    items.push_back(std::move(item));
    audit_ids.push_back(answer->audit_id);
  }
  if (items.empty()) return {};
  return journal_.applied(items, audit_ids);
}

Result<> Attempt::call_all(const std::vector<const Manifest*>& objects,
                           int wave,
                           const std::string& phase) {
  std::vector<InventoryItem> intents;
  for (const Manifest* manifest : objects) intents.push_back(item_of(*manifest, wave));
  FAILPOINT("apply.before_intent");
  TRY_DOING("write down what is about to be applied", journal_.intend(intents));
  FAILPOINT("apply.after_intent");

  std::vector<Result<Live>> answers(objects.size());
  Result<> recorded;
  for_all(
      objects.size(), request_.parallel_calls,
      [&](std::size_t i) { answers[i] = apply_one(*objects[i]); },
      [&](const std::vector<std::size_t>& ended) {
        if (!recorded) return;
        recorded = record(objects, answers, ended, wave);
        if (!recorded) hopeless_ = true;  // the lease is gone: nothing more may be called
        say(phase);
      });
  TRY(std::move(recorded));
  return first_refusal();
}

Result<> Attempt::wait_for_definitions(const std::vector<const Manifest*>& definitions) {
  std::vector<ObjectKey> keys;
  for (const Manifest* manifest : definitions) {
    if (is_definition(manifest->key)) keys.push_back(manifest->key);
  }
  if (keys.empty()) return {};
  std::map<std::string, HealthReport> open;
  for (const ObjectKey& key : keys)
    open[key.identity()] = {Health::progressing, "not established yet"};
  Result<> refused;
  TRY(cluster_.watch(keys, std::chrono::steady_clock::now() + kEstablishTime, stop_,
                     [&](const ObjectKey& key, const std::string& live) {
                       const HealthReport report = assess(live);
                       if (report.health == Health::healthy)
                         open.erase(key.identity());
                       else if (report.health == Health::failed)
                         refused = fail(Errc::invalid, key.title() + ": " + report.message);
                       return open.empty() || !refused;
                     }));
  cluster_.refresh_kinds();
  TRY(std::move(refused));
  TRY(before_call());
  if (open.empty()) return {};
  return fail(Errc::unavailable, open.begin()->first + ": " + open.begin()->second.message);
}

/// The target namespace is made when it is missing. It is nobody's object: no inventory, no prune.
Result<> Attempt::ensure_namespace() {
  const std::string& ns = request_.plan.application.ns;
  bool needed = false;
  for (const Manifest& manifest : request_.plan.objects) {
    if (is_namespace(manifest.key) && manifest.key.name == ns) return {};
    needed = needed || (!ns.empty() && manifest.key.ns == ns);
  }
  for (const InventoryItem& item : request_.inventory) {
    if (item.state == InventoryItem::State::applied && item.key.ns == ns) needed = false;
  }
  if (!needed) return {};
  TRY(before_call());
  Manifest manifest;
  manifest.key = {"v1", "Namespace", "", ns};
  const auto there = cluster_.get(manifest.key);
  // Who may not read namespaces learns from the first apply whether it exists.
  if (!there && there.error().code == Errc::denied) return {};
  if (there && *there) return {};
  manifest.json =
      json::canonical({{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", ns}}}});
  const auto made = apply_one(manifest);
  if (!made) return Failure(Error(made.error()).during("create namespace '" + printable(ns) + "'"));
  log::info("apply.namespace_created", {{"namespace", ns}});
  return {};
}

Result<> Attempt::apply_wave(const Wave& wave, int index, int waves) {
  std::vector<const Manifest*> objects;
  for (const Manifest* manifest : wave.objects) {
    if (!is_unchanged(*manifest)) {
      objects.push_back(manifest);
      continue;
    }
    ++counts_.unchanged;
    ++done_;
  }
  if (objects.empty()) return {};
  if (wave.number != kFoundation) TRY(ensure_namespace());
  const std::string phase = "applying " + std::to_string(index) + "/" + std::to_string(waves);
  say(phase);
  TRY(call_all(objects, wave.number, phase));
  if (wave.number == kFoundation) TRY(wait_for_definitions(objects));
  return {};
}

Result<> Attempt::go() {
  const std::vector<Wave> waves = TRY(waves_of(request_.plan.objects));
  const std::string question = guard_question(prunable());
  if (!question.empty()) {
    question_ = true;
    return fail(Errc::denied, question);
  }
  int index = 0;
  for (const Wave& wave : waves) {
    if (stop_.stop_requested()) return before_call();
    TRY(apply_wave(wave, ++index, static_cast<int>(waves.size())));
  }
  TRY(prune());
  return wait_for_health();
}

Outcome Attempt::end_with(const Error& error) const {
  using Ending = Outcome::Ending;
  const bool passing = error.code == Errc::unavailable || error.code == Errc::conflict;
  Ending ending = passing ? Ending::retry : Ending::failed;
  if (health_deadline_passed_) ending = Ending::failed;
  if (question_)
    ending = Ending::waiting;
  else if (superseded_ && passing)
    ending = Ending::superseded;
  return {ending, error.code, error.message, counts_};
}

Outcome Attempt::run() {
  const auto ended = go();
  if (!ended) return end_with(ended.error());
  return {Outcome::Ending::healthy, Errc::fault, sentence(counts_), counts_};
}

Outcome apply_plan(const ApplyRequest& request,
                   Cluster& cluster,
                   Journal& journal,
                   std::stop_token stop) {
  return Attempt(request, cluster, journal, std::move(stop)).run();
}

}  // namespace plumb::apply
