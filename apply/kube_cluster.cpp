#include "apply/kube_cluster.h"

#include <condition_variable>
#include <mutex>

#include <nlohmann/json.hpp>

#include "apply/adopt.h"
#include "apply/kube_watch.h"
#include "core/log.h"
#include "core/scrub.h"
#include "core/text.h"
#include "drivers/crypto/crypto.h"
#include "drivers/json/json.h"
#include "drivers/kube/errors.h"

namespace plumb::apply {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kReadTimeout{15'000};
constexpr milliseconds kKindPause{100};

milliseconds left_until(steady_clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now());
  return std::max(left, milliseconds(1));
}

std::string text(const json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

/// An API server's own answer may nest deeper than we allow a push to.
Result<json> parse_answer(const kube::Response& response) {
  plumb::json::Limits limits;
  limits.max_depth = 200;
  limits.max_bytes = 64U << 20U;
  auto value = plumb::json::parse(response.body, limits);
  if (!value || !value->is_object() || !value->contains("metadata") ||
      text((*value)["metadata"], "uid").empty()) {
    return fail(Errc::unavailable, "the API server's answer is no object");
  }
  return value;
}

Live live_of(kube::Response response, const json& object) {
  const json& metadata = object["metadata"];
  return {text(metadata, "uid"), text(metadata, "resourceVersion"), std::move(response.body),
          std::move(response.audit_id), response.status == 201};
}

void add_leaves(const json& value, Scrubber& scrubber) {
  if (value.is_string()) {
    scrubber.add(value.get<std::string>());
    return;
  }
  if (!value.is_structured()) {
    scrubber.add(value.dump());
    return;
  }
  for (const json& child : value) add_leaves(child, scrubber);
}

/// The error with every value of a tainted object taken out of it.
Error scrubbed(Error error, const Manifest& manifest) {
  if (!manifest.tainted) return error;
  Scrubber scrubber;
  auto object = plumb::json::parse(manifest.json);
  if (!object || !object->is_object()) {
    error.message = "the API server refuses it (its explanation may hold secret values)";
    return error;
  }
  for (const char* key : {"data", "stringData", "binaryData"}) {
    const auto values = object->find(key);
    if (values == object->end()) continue;
    add_leaves(*values, scrubber);
    for (const json& value : values->is_object() ? *values : json::object()) {
      if (!value.is_string()) continue;
      const auto plain = crypto::unbase64(value.get<std::string>());
      if (plain) scrubber.add(*plain);
    }
  }
  error.message = scrubber.clean(error.message);
  return error;
}

}  // namespace

KubeCluster::KubeCluster(std::unique_ptr<kube::Client> client)
    : KubeCluster(std::make_shared<KubeLine>(std::move(client))) {}

KubeCluster::KubeCluster(std::shared_ptr<KubeLine> line, std::string user_agent)
    : line_(std::move(line)),
      client_(line_->client.get()),
      kinds_(line_->kinds),
      user_agent_(std::move(user_agent)) {}

void KubeCluster::refresh_kinds() {
  kinds_.forget();
}

Result<std::string> KubeCluster::uid() {
  kube::Request request;
  request.path = "/api/v1/namespaces/kube-system";
  const kube::Response response = TRY(client_->call(std::move(request)));
  if (response.status == 404) {
    return fail(Errc::unavailable, "the cluster has no namespace kube-system yet");
  }
  TRY(kube::check(response));
  return text(TRY(parse_answer(response))["metadata"], "uid");
}

Result<kube::Kind> KubeCluster::resolve(const ObjectKey& key, steady_clock::time_point deadline) {
  while (true) {
    const auto kind = TRY(kinds_.find(key.api_version, key.kind));
    if (kind) return *kind;
    if (!kinds_.settling()) {
      return fail(Errc::invalid, "the cluster has no kind " + printable(key.kind) + " in " +
                                     printable(key.api_version));
    }
    if (steady_clock::now() + kKindPause >= deadline) {
      return fail(Errc::unavailable, "the cluster does not serve " + printable(key.kind) + " yet");
    }
    std::mutex mutex;
    std::condition_variable nobody;
    std::unique_lock lock(mutex);
    nobody.wait_for(lock, kKindPause);
  }
}

Result<kube::Response> KubeCluster::patch(const Manifest& manifest,
                                          const std::string& path,
                                          steady_clock::time_point deadline) {
  kube::Request request;
  request.method = "PATCH";
  request.user_agent = user_agent_;
  request.path = path + "?fieldManager=" + kFieldManager + "&force=true&fieldValidation=Strict";
  request.body = manifest.json;
  request.content_type = "application/apply-patch+yaml";
  request.timeout = left_until(deadline);
  kube::Response response = TRY(client_->call(std::move(request)));
  if (kube::is_unknown_kind(response)) {
    const bool settling = kinds_.settling();
    if (!settling) kinds_.forget();  // the kind went while its address was cached
    return fail(settling ? Errc::unavailable : Errc::invalid,
                "the cluster does not serve " + printable(manifest.key.kind) + " in " +
                    printable(manifest.key.api_version));
  }
  const auto fine = kube::check(response);
  if (!fine) return Failure(scrubbed(fine.error(), manifest));
  return response;
}

Result<Live> KubeCluster::apply(const Manifest& manifest, milliseconds timeout) {
  const auto deadline = steady_clock::now() + timeout;
  const kube::Kind kind = TRY(resolve(manifest.key, deadline));
  const std::string path = TRY(kube::path_of(kind, manifest.key.ns, manifest.key.name));
  kube::Response response = TRY(patch(manifest, path, deadline));
  const json object = TRY(parse_answer(response));
  const auto adoption = adoption_patch(object);
  Live live = live_of(std::move(response), object);
  if (!adoption) return live;
  return adopt(manifest, path, *adoption, std::move(live), deadline);
}

Result<Live> KubeCluster::adopt(const Manifest& manifest,
                                const std::string& path,
                                const std::string& adoption,
                                Live live,
                                steady_clock::time_point deadline) {
  kube::Request request;
  request.method = "PATCH";
  request.user_agent = user_agent_;
  request.path = path + "?fieldManager=" + std::string(kFieldManager);
  request.body = adoption;
  request.content_type = "application/json-patch+json";
  request.timeout = left_until(deadline);
  const kube::Response moved = TRY(client_->call(std::move(request)));
  const auto fine = kube::check(moved);
  if (!fine) return Failure(scrubbed(fine.error(), manifest));
  log::info("apply.ownership_migrated", {{"object", manifest.key.title()}});
  kube::Response response = TRY(patch(manifest, path, deadline));
  const json object = TRY(parse_answer(response));
  const bool created = live.created;
  live = live_of(std::move(response), object);
  live.created = created;
  return live;
}

Result<std::optional<Live>> KubeCluster::get(const ObjectKey& key) {
  const auto kind = TRY(kinds_.find(key.api_version, key.kind));
  if (!kind) return std::optional<Live>();
  kube::Request request;
  request.path = TRY(kube::path_of(*kind, key.ns, key.name));
  request.timeout = kReadTimeout;
  kube::Response response = TRY(client_->call(std::move(request)));
  if (response.status == 404) return std::optional<Live>();
  TRY(kube::check(response));
  const json object = TRY(parse_answer(response));
  return std::optional<Live>(live_of(std::move(response), object));
}

Result<bool> KubeCluster::remove(const ObjectKey& key, const std::string& uid) {
  if (uid.empty()) return fail(Errc::fault, "will not delete " + key.title() + " without its uid");
  const auto kind = TRY(kinds_.find(key.api_version, key.kind));
  if (!kind) return false;  // its definition is gone, and it with it
  kube::Request request;
  request.method = "DELETE";
  request.user_agent = user_agent_;
  request.path = TRY(kube::path_of(*kind, key.ns, key.name));
  request.content_type = "application/json";
  request.body = plumb::json::canonical({{"apiVersion", "v1"},
                                         {"kind", "DeleteOptions"},
                                         {"propagationPolicy", "Background"},
                                         {"preconditions", {{"uid", uid}}}});
  request.timeout = kReadTimeout;
  const kube::Response response = TRY(client_->call(std::move(request)));
  if (response.status == 404) return false;
  if (response.status == 409) {
    // Another uid stands there, or ours is already on its way out: then nothing is left to do.
    const auto now = TRY(get(key));
    if (!now || now->uid != uid) return false;
    const auto object = plumb::json::parse(now->json);
    if (object && (*object)["metadata"].contains("deletionTimestamp")) return false;
  }
  TRY(kube::check(response));
  return true;
}

Result<> KubeCluster::watch(
    const std::vector<ObjectKey>& keys,
    steady_clock::time_point deadline,
    std::stop_token stop,
    const std::function<bool(const ObjectKey&, const std::string&)>& changed) {
  KubeWatch watching(*client_, kinds_, deadline, std::move(stop), changed);
  return watching.run(keys);
}

}  // namespace plumb::apply
