#include "plan/rights.h"

#include <algorithm>
#include <utility>

#include "core/text.h"

namespace plumb::plan {
namespace {

bool allows(const std::vector<std::string>& globs, const std::string& text) {
  return std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) {
    return glob == "*" || glob_match(glob, text);
  });
}

std::string allowed(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return "allowed: " + all + " (the server's file says so)";
}

Verdict denied(const Application& application,
               std::string rule,
               const std::string& what,
               const std::vector<std::string>& names,
               const Place& place) {
  Verdict verdict;
  verdict.rule = std::move(rule);
  verdict.application = application.id.to_string();
  verdict.place = place;
  verdict.message = "repository " + application.repository + " has no right to " + what;
  verdict.hint = allowed(names);
  return verdict;
}

}  // namespace

std::vector<Verdict> judge_target(const Application& application,
                                  const config::TargetPlaces& places,
                                  const config::RepositoryBinding& repository) {
  std::vector<Verdict> verdicts;
  const std::string& cluster = application.id.cluster;
  if (std::find(repository.clusters.begin(), repository.clusters.end(), cluster) ==
      repository.clusters.end()) {
    verdicts.push_back(denied(application, "rights.cluster", "cluster \"" + cluster + "\"",
                              repository.clusters, places.cluster));
    verdicts.back().subject = cluster;
  }
  if (!allows(repository.namespaces, application.ns)) {
    verdicts.push_back(denied(application, "rights.namespace",
                              "namespace \"" + application.ns + "\"", repository.namespaces,
                              places.ns));
    verdicts.back().subject = application.ns;
  }
  return verdicts;
}

std::vector<Verdict> judge_objects(const Application& application,
                                   const std::vector<Manifest>& objects,
                                   const config::RepositoryBinding& repository) {
  std::vector<Verdict> verdicts;
  const auto add = [&](const Manifest& object, Verdict verdict, std::string field) {
    verdict.object = object.key.title();
    verdict.field = std::move(field);
    verdicts.push_back(std::move(verdict));
  };
  for (const Manifest& object : objects) {
    const ObjectKey& key = object.key;
    const std::string kind = std::string(key.group()) + "/" + key.kind;
    if (!allows(repository.kinds, kind)) {
      add(object,
          denied(application, "rights.kind", "kind \"" + kind + "\"", repository.kinds,
                 object.place),
          "kind");
    }
    // A Namespace is what it names.
    const bool is_namespace = kind == "/Namespace";
    const std::string& ns = is_namespace ? key.name : key.ns;
    if (!ns.empty() && !allows(repository.namespaces, ns)) {
      add(object,
          denied(application, "rights.namespace", "namespace \"" + ns + "\"", repository.namespaces,
                 object.place),
          is_namespace ? "metadata.name" : "metadata.namespace");
    }
  }
  return verdicts;
}

}  // namespace plumb::plan
