#pragma once
/// A cluster and a journal in memory that write down what happens, in one log, and fail on demand.
#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "apply/applier.h"
#include "drivers/crypto/crypto.h"
#include "drivers/json/json.h"
#include "tests/support/must.h"

namespace plumb::test {

using apply::ApplyRequest;
using apply::InventoryItem;
using apply::Live;
using Json = nlohmann::json;

inline Manifest manifest_of(const Json& object) {
  Manifest manifest;
  const Json& metadata = object.at("metadata");
  manifest.key = {object.at("apiVersion"), object.at("kind"), metadata.value("namespace", ""),
                  metadata.at("name")};
  manifest.json = plumb::json::canonical(object);
  manifest.hash = crypto::sha256_hex(manifest.json);
  manifest.tainted = manifest.key.kind == "Secret";
  return manifest;
}

inline Manifest config_map(const std::string& name,
                           const std::string& value = "1",
                           const Json& annotations = nullptr,
                           const std::string& ns = "shop") {
  Json object{{"apiVersion", "v1"},
              {"kind", "ConfigMap"},
              {"metadata", {{"name", name}, {"namespace", ns}}},
              {"data", {{"key", value}}}};
  if (!annotations.is_null()) object["metadata"]["annotations"] = annotations;
  return manifest_of(object);
}

inline Manifest simple(const std::string& api_version,
                       const std::string& kind,
                       const std::string& name,
                       const std::string& ns = "") {
  Json object{{"apiVersion", api_version}, {"kind", kind}, {"metadata", {{"name", name}}}};
  if (!ns.empty()) object["metadata"]["namespace"] = ns;
  return manifest_of(object);
}

/// What happened, in order: "apply Namespace shop", "intend ConfigMap shop/a". Any thread.
class Log {
 public:
  void add(const std::string& line) {
    const std::scoped_lock lock(mutex_);
    lines_.push_back(line);
  }
  [[nodiscard]] std::vector<std::string> lines() const {
    const std::scoped_lock lock(mutex_);
    return lines_;
  }
  [[nodiscard]] std::size_t at(const std::string& line) const {
    const auto all = lines();
    const auto it = std::find(all.begin(), all.end(), line);
    if (it == all.end()) FAIL("not in the log: " + line);
    return static_cast<std::size_t>(it - all.begin());
  }
  [[nodiscard]] std::size_t count(const std::string& start) const {
    const auto all = lines();
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [&](const std::string& line) { return line.starts_with(start); }));
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

class FakeCluster final : public apply::Cluster {
 public:
  explicit FakeCluster(Log& log) : log_(log) {}

  std::function<std::optional<Error>(const Manifest&)> refuse;  ///< of apply; any thread
  std::function<void(const std::string& line)> after_call;
  std::function<Json(const ObjectKey&)> status;

  Result<std::string> uid() override { return std::string("cluster-1"); }
  Result<Live> apply(const Manifest& manifest, std::chrono::milliseconds) override {
    log_.add("apply " + manifest.key.title());
    if (after_call) after_call("apply " + manifest.key.title());
    if (refuse) {
      if (auto error = refuse(manifest)) return Failure(*std::move(error));
    }
    const std::scoped_lock lock(mutex_);
    const std::string identity = manifest.key.identity();
    const bool created = !objects_.contains(identity);
    Live& live = objects_[identity];
    if (created) live.uid = "uid-" + std::to_string(++number_);
    live.resource_version = std::to_string(++number_);
    live.created = created;
    Json object = must(plumb::json::parse(manifest.json));
    object["metadata"]["uid"] = live.uid;
    object["metadata"]["managedFields"] = {{{"manager", "plumbline"}, {"operation", "Apply"}}};
    if (status) object["status"] = status(manifest.key);
    live.json = plumb::json::canonical(object);
    return live;
  }
  Result<std::optional<Live>> get(const ObjectKey& key) override {
    log_.add("get " + key.title());
    const std::scoped_lock lock(mutex_);
    const auto it = objects_.find(key.identity());
    return it == objects_.end() ? std::optional<Live>() : std::optional<Live>(it->second);
  }
  Result<bool> remove(const ObjectKey& key, const std::string& uid) override {
    log_.add("delete " + key.title());
    const std::scoped_lock lock(mutex_);
    const auto it = objects_.find(key.identity());
    if (it == objects_.end() || it->second.uid != uid) return false;
    objects_.erase(it);
    return true;
  }
  Result<> watch(
      const std::vector<ObjectKey>& keys,
      std::chrono::steady_clock::time_point deadline,
      std::stop_token stop,
      const std::function<bool(const ObjectKey&, const std::string&)>& changed) override {
    for (const ObjectKey& key : keys) {
      log_.add("watch " + key.title());
      if (after_call) after_call("watch " + key.title());
      if (changed(key, state(key))) return {};
    }
    std::unique_lock lock(mutex_);
    never_.wait_until(lock, stop, deadline, [] { return false; });
    return {};
  }
  void refresh_kinds() override { log_.add("refresh kinds"); }

  /// Somebody else's doing.
  void put(const Manifest& manifest, const std::string& uid, bool ours) {
    Json object = must(plumb::json::parse(manifest.json));
    object["metadata"]["uid"] = uid;
    if (ours)
      object["metadata"]["managedFields"] = {{{"manager", "plumbline"}, {"operation", "Apply"}}};
    objects_[manifest.key.identity()] = {uid, "7", plumb::json::canonical(object), "", false};
  }
  [[nodiscard]] bool has(const Manifest& manifest) const {
    return objects_.contains(manifest.key.identity());
  }

 private:
  std::string state(const ObjectKey& key) {
    const std::scoped_lock lock(mutex_);
    const auto it = objects_.find(key.identity());
    return it == objects_.end() ? "" : it->second.json;
  }

  Log& log_;
  std::mutex mutex_;
  std::condition_variable_any never_;
  std::map<std::string, Live> objects_;
  int number_ = 0;
};

class MemoryJournal final : public apply::Journal {
 public:
  explicit MemoryJournal(Log& log) : log_(log) {}

  std::string fails_at;  ///< "intend", "applied", "intend_prune" or "gone"
  std::atomic<bool> has_time{true};
  std::map<std::string, InventoryItem> rows;
  std::vector<std::string> audit_ids;
  std::string last_phase;

  Result<> intend(const std::vector<InventoryItem>& items) override {
    return write("intend", items, InventoryItem::State::intended);
  }
  Result<> applied(const std::vector<InventoryItem>& items,
                   const std::vector<std::string>& ids) override {
    audit_ids.insert(audit_ids.end(), ids.begin(), ids.end());
    return write("applied", items, InventoryItem::State::applied);
  }
  Result<> intend_prune(const std::vector<std::string>& identities) override {
    for (const std::string& identity : identities) log_.add("intend_prune " + identity);
    return lost("intend_prune");
  }
  Result<> gone(const std::vector<std::string>& identities) override {
    for (const std::string& identity : identities) {
      log_.add("gone " + identity);
      rows.erase(identity);
    }
    return lost("gone");
  }
  void progress(const std::string& phase, const Counts&, int, int, const std::string&) override {
    last_phase = phase;
  }
  bool may_call(std::chrono::milliseconds) override { return has_time; }

  [[nodiscard]] std::vector<InventoryItem> inventory() const {
    std::vector<InventoryItem> items;
    for (const auto& [identity, item] : rows) items.push_back(item);
    return items;
  }

 private:
  Result<> write(const std::string& what,
                 const std::vector<InventoryItem>& items,
                 InventoryItem::State state) {
    for (InventoryItem item : items) {
      log_.add(what + " " + item.key.title());
      item.state = state;
      rows[item.key.identity()] = item;
    }
    return lost(what);
  }
  Result<> lost(const std::string& what) const {
    if (fails_at == what) return fail(Errc::conflict, "the lease belongs to another worker");
    return {};
  }

  Log& log_;
};

/// A cluster, its journal and a request, and what came of the last run.
struct Bench {
  Log log;
  FakeCluster cluster{log};
  MemoryJournal journal{log};
  ApplyRequest request;
  std::stop_source stop;

  Bench() {
    request.plan.application.id = {"default", "web", "prod", "eu-1"};
    request.plan.application.ns = "shop";
    request.plan.application.health_timeout = std::chrono::milliseconds(50);
    request.call_timeout = std::chrono::milliseconds(2'000);
  }
  Outcome run(std::vector<Manifest> objects) {
    request.plan.objects = std::move(objects);
    request.inventory = journal.inventory();
    return apply::apply_plan(request, cluster, journal, stop.get_token());
  }
};

using Ending = Outcome::Ending;

}  // namespace plumb::test
