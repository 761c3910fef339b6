#include "drivers/kube/kinds.h"

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "drivers/json/json.h"
#include "drivers/kube/errors.h"

namespace plumb::kube {
namespace {

using nlohmann::json;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kRefreshEvery{5};
constexpr std::chrono::seconds kSettling{10};
constexpr std::size_t kMaxDiscovery = 32U << 20U;
constexpr const char* kAggregated =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";

std::string text_at(const json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

const json& list_at(const json& object, const char* key) {
  static const json kNone = json::array();
  if (!object.is_object()) return kNone;
  const auto it = object.find(key);
  return it != object.end() && it->is_array() ? *it : kNone;
}

void add_kinds(const json& group, KindMap& kinds) {
  const json& metadata =
      group.is_object() && group.contains("metadata") ? group["metadata"] : json();
  const std::string name = text_at(metadata, "name");
  for (const json& version : list_at(group, "versions")) {
    const std::string api_version = (name.empty() ? "" : name + "/") + text_at(version, "version");
    for (const json& resource : list_at(version, "resources")) {
      const auto shape = resource.find("responseKind");
      if (shape == resource.end()) continue;
      Kind kind{api_version, text_at(*shape, "kind"), text_at(resource, "resource"),
                text_at(resource, "scope") == "Namespaced"};
      // Only what can be applied: "patch" among the verbs leaves reviews and bindings out.
      bool can_patch = false;
      for (const json& verb : list_at(resource, "verbs")) can_patch = can_patch || verb == "patch";
      if (!can_patch || kind.name.empty() || kind.plural.empty()) continue;
      kinds.emplace(api_version + "/" + kind.name, std::move(kind));
    }
  }
}

Result<std::string> fetch_one(Client& client, const std::string& path) {
  Request request;
  request.path = path;
  request.accept = kAggregated;
  request.max_response_bytes = kMaxDiscovery;
  Response response =
      TRY_DOING("read the kinds of " + client.server(), client.call(std::move(request)));
  TRY_DOING("read the kinds of " + client.server(), check(response));
  return std::move(response.body);
}

}  // namespace

Result<Discovery> fetch_discovery(Client& client) {
  Discovery discovery;
  discovery.core = TRY(fetch_one(client, "/api"));
  discovery.groups = TRY(fetch_one(client, "/apis"));
  return discovery;
}

Result<KindMap> parse_discovery(const Discovery& discovery) {
  KindMap kinds;
  for (const std::string* text : {&discovery.core, &discovery.groups}) {
    plumb::json::Limits limits;
    limits.max_bytes = kMaxDiscovery;
    const auto document = plumb::json::parse(*text, limits);
    if (!document) {
      return fail(Errc::unavailable, "the list of kinds is no JSON: " + document.error().message);
    }
    if (text_at(*document, "kind") != "APIGroupDiscoveryList") {
      return fail(Errc::invalid, "the API server gives no aggregated discovery", "",
                  "Kubernetes 1.27 or newer is needed");
    }
    for (const json& group : list_at(*document, "items")) add_kinds(group, kinds);
  }
  return kinds;
}

Result<> Kinds::refresh(State& state) {
  const Discovery discovery = TRY(fetch_discovery(client_));
  state.kinds = std::make_shared<const KindMap>(TRY(parse_discovery(discovery)));
  state.read_at = steady_clock::now();
  state.stale = false;
  return {};
}

Result<std::optional<Kind>> Kinds::find(std::string_view api_version, std::string_view kind) {
  const std::string wanted = std::string(api_version) + "/" + std::string(kind);
  return state_.with([&](State& state) -> Result<std::optional<Kind>> {
    if (!state.kinds || state.stale) TRY(refresh(state));
    auto it = state.kinds->find(wanted);
    const auto now = steady_clock::now();
    const bool settles = now - state.forgotten_at < kSettling;
    if (it == state.kinds->end() && (settles || now - state.read_at >= kRefreshEvery)) {
      TRY(refresh(state));
      it = state.kinds->find(wanted);
    }
    return it == state.kinds->end() ? std::optional<Kind>() : it->second;
  });
}

void Kinds::forget() {
  state_.with([](State& state) {
    state.stale = true;
    state.forgotten_at = steady_clock::now();
  });
}

bool Kinds::settling() const {
  return state_.with(
      [](const State& state) { return steady_clock::now() - state.forgotten_at < kSettling; });
}

Result<std::string> path_of(const Kind& kind, const std::string& ns, const std::string& name) {
  const bool core = kind.api_version.find('/') == std::string::npos;
  std::string path = core ? "/api/" + encoded(kind.api_version) : "/apis/";
  if (!core) {
    const auto slash = kind.api_version.find('/');
    path += encoded(kind.api_version.substr(0, slash)) + "/" +
            encoded(kind.api_version.substr(slash + 1));
  }
  if (kind.namespaced) {
    if (ns.empty())
      return fail(Errc::invalid, kind.name + " '" + printable(name) + "' needs a namespace");
    path += "/namespaces/" + encoded(ns);
  }
  path += "/" + encoded(kind.plural);
  if (!name.empty()) path += "/" + encoded(name);
  return path;
}

}  // namespace plumb::kube
