#include "config/documents.h"

#include <algorithm>
#include <utility>

#include "config_schema.h"
#include <nlohmann/json.hpp>

#include "config/names.h"
#include "config/reader.h"
#include "core/text.h"

namespace plumb::config {
namespace {

using namespace std::chrono_literals;

std::string rule_of(Finding::What what) {
  switch (what) {
    case Finding::What::unknown_key: return "document.unknown-key";
    case Finding::What::bad_value: return "document.value";
    case Finding::What::missing: return "document.missing";
  }
  return "document.value";
}

void read_label(const Node& node, std::string& into, const std::string& what) {
  node.read(into);
  if (node.there() && !is_label(into)) {
    node.wrong("\"" + printable(into, 80) + "\" is no name of " + what,
               "lower-case letters, digits and -, at most 63");
  }
}

void read_path(const Node& spec, Application& into) {
  const Node node = spec.member("path");
  if (!node.there())
    return spec.missing("path", "the folder in this repository, as in  path: apps/web");
  const auto path = node.text();
  if (!path) return;
  const auto clean = clean_folder(*path);
  if (!clean || path->starts_with('/')) {
    return node.wrong("\"" + printable(*path, 80) + "\" is no folder of this repository",
                      "a path from the repository's root, without ..");
  }
  into.path = *clean;
}

void read_target(const Node& spec, const RepositoryBinding& binding, Application& into) {
  into.id.environment = "default";
  read_label(spec.member("environment"), into.id.environment, "an environment");
  const auto target = binding.environments.find(into.id.environment);
  const Node cluster = spec.member("cluster");
  cluster.read(into.id.cluster);
  if (!cluster.there()) {
    if (target != binding.environments.end()) into.id.cluster = target->second.cluster;
    if (into.id.cluster.empty() && binding.clusters.size() == 1)
      into.id.cluster = binding.clusters.front();
    if (into.id.cluster.empty())
      spec.missing("cluster", "this repository may use several: name one");
  } else if (!is_name(into.id.cluster)) {
    cluster.wrong("\"" + printable(into.id.cluster, 80) + "\" is no name of a cluster");
  }
  const Node ns = spec.member("namespace");
  read_label(ns, into.ns, "a namespace");
  if (!ns.there() && target != binding.environments.end()) into.ns = target->second.ns;
  if (into.ns.empty()) {
    into.ns =
        into.id.environment == "default" ? into.id.name : into.id.name + "-" + into.id.environment;
    if (!ns.there() && is_label(into.id.name) && !is_label(into.ns)) {
      spec.missing("namespace", "\"" + into.ns + "\" would be too long for one");
    }
  }
  into.id.project = binding.project;
  const Node project = spec.member("project");
  if (const auto named = project.text(); named && *named != binding.project) {
    project.wrong("this repository belongs to project \"" + binding.project + "\", not \"" +
                      printable(*named, 80) + "\"",
                  "leave project out");
  }
}

void read_ways(const Node& spec, Application& into) {
  if (const auto word = spec.member("engine").word({"plain", "kustomize"})) {
    into.engine = *word == 0 ? Engine::plain : Engine::kustomize;
  }
  const Node recurse = spec.member("recurse");
  recurse.read(into.recurse);
  if (into.recurse && into.engine == Engine::kustomize) {
    recurse.wrong("recurse is for engine plain", "kustomize names its resources itself");
  }
  if (const auto word = spec.member("sync").word({"automatic", "manual"})) {
    into.sync = *word == 0 ? SyncMode::automatic : SyncMode::manual;
  }
  spec.member("prune").read(into.prune);
  if (const auto word = spec.member("onDelete").word({"cascade", "orphan"})) {
    into.on_delete = *word == 0 ? OnDelete::cascade : OnDelete::orphan;
  }
  spec.member("healthTimeout").read_time(into.health_timeout, 1s, 24h, "1s to 24h");
}

Application read_application(const Node& root, const RepositoryBinding& binding) {
  Application app;
  app.repository = binding.name;
  app.declared_at = root.place();
  if (!root.object({"apiVersion", "kind", "metadata", "spec"})) return app;
  const Node version = root.member("apiVersion");
  if (!version.there()) root.missing("apiVersion", "write  apiVersion: plumbline.dev/v1");
  static_cast<void>(version.word({"plumbline.dev/v1"}));
  const Node kind = root.member("kind");
  if (!kind.there()) root.missing("kind", "write  kind: Application");
  static_cast<void>(kind.word({"Application"}));
  const Node metadata = root.member("metadata");
  if (!metadata.there()) {
    root.missing("metadata", "write  metadata: {name: ...}");
  } else if (metadata.object({"name"})) {
    const Node name = metadata.member("name");
    if (!name.there()) metadata.missing("name");
    read_label(name, app.id.name, "an application");
    app.declared_at = name.there() ? name.place() : app.declared_at;
  }
  const Node spec = root.member("spec");
  if (!spec.there()) {
    root.missing("spec", "it needs at least  path");
    return app;
  }
  if (!spec.object({"path", "environment", "cluster", "namespace", "project", "engine", "recurse",
                    "sync", "prune", "onDelete", "healthTimeout"})) {
    return app;
  }
  read_path(spec, app);
  read_target(spec, binding, app);
  read_ways(spec, app);
  return app;
}

TargetPlaces places_of(const Node& root, const Place& otherwise) {
  const Node spec = root.member("spec");
  const auto place = [&](const char* key) {
    const Node node = spec.member(key);
    return node.there() ? node.place() : otherwise;
  };
  return {place("path"), place("cluster"), place("namespace")};
}

}  // namespace

ParsedDocuments parse_documents(std::string_view text,
                                const std::string& file,
                                const RepositoryBinding& binding) {
  ParsedDocuments parsed;
  const auto documents = yaml::parse_all(text, file);
  if (!documents) {
    parsed.verdicts.push_back(yaml_verdict(documents.error(), file));
    return parsed;
  }
  for (const yaml::Document& document : *documents) {
    if (document.value->is_null()) continue;
    Reader reader(document, file);
    Application app = read_application(reader.root(), binding);
    for (const Finding& finding : reader.findings) {
      Verdict verdict;
      verdict.rule = rule_of(finding.what);
      verdict.object = app.id.name.empty() ? "" : "Application " + app.id.name;
      verdict.field = finding.field;
      verdict.place = finding.place;
      verdict.message = finding.message;
      verdict.hint = finding.hint;
      verdict.subject = finding.subject;
      parsed.verdicts.push_back(std::move(verdict));
    }
    if (!reader.findings.empty()) continue;
    parsed.places.push_back(places_of(reader.root(), app.declared_at));
    parsed.applications.push_back(std::move(app));
  }
  return parsed;
}

Verdict yaml_verdict(const Error& error, const std::string& file) {
  Verdict verdict;
  verdict.rule = "yaml.syntax";
  if (error.message.ends_with("twice in one mapping")) verdict.rule = "yaml.duplicate";
  if (error.message.starts_with("not text")) verdict.rule = "file.encoding";
  verdict.place.file = file;
  verdict.message = error.message;
  verdict.hint = error.hint;
  // An Error carries its place as text: "file:line:column".
  if (!error.where.starts_with(file + ":")) return verdict;
  const auto number = [](const std::string& text) {
    const bool fine = !text.empty() && text.size() <= 8 &&
                      text.find_first_not_of("0123456789") == std::string::npos;
    return fine ? std::stoi(text) : 0;
  };
  const auto numbers = split(std::string_view(error.where).substr(file.size() + 1), ':');
  verdict.place.line = number(numbers[0]);
  if (numbers.size() > 1) verdict.place.column = number(numbers[1]);
  return verdict;
}

std::string_view application_schema() {
  return embedded::application_v1_json;
}

}  // namespace plumb::config
