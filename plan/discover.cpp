#include "plan/discover.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "config/documents.h"
#include "config/names.h"
#include "core/text.h"
#include "plan/objects.h"
#include "plan/render_parts.h"
#include "plan/rights.h"

namespace plumb::plan {
namespace {

using Type = TreeSource::Found::Type;

constexpr const char* kFolder = "apps";  // of the convention

bool is_no_environment(const std::string& name) {
  return name == "base" || name == "bases" || name == "components" || name.starts_with('.') ||
         name.starts_with('_');
}

class Discovery {
 public:
  Discovery(TreeSource& source, const config::RepositoryBinding& repository)
      : source_(source), repository_(repository) {}

  Result<> documents() {
    TRY(document("plumbline.yaml"));
    const auto folder = source_.look(".plumbline");
    if (!folder) return content(folder.error(), ".plumbline");
    if (!*folder || (*folder)->type != Type::folder) return {};
    for (const TreeSource::Name& entry : TRY(source_.list(".plumbline"))) {
      if (entry.type == Type::file && entry.name.ends_with(".yaml"))
        TRY(document(".plumbline/" + entry.name));
    }
    return {};
  }

  Result<> convention() {
    const auto folder = source_.look(kFolder);
    if (!folder) return content(folder.error(), kFolder);
    if (!*folder || (*folder)->type != Type::folder) return {};
    for (const TreeSource::Name& entry : TRY(source_.list(kFolder))) {
      if (entry.type == Type::folder && !is_no_environment(entry.name))
        TRY(environments_of(entry.name));
    }
    return {};
  }

  Discovered take() {
    Discovered discovered;
    for (auto& [id, application] : applications_)
      discovered.applications.push_back(std::move(application));
    discovered.closure = source_.take_closure();
    discovered.verdicts = std::move(verdicts_);
    return discovered;
  }

 private:
  /// An error of content is a verdict; others mean that the tree cannot be read.
  Result<> content(const Error& error, const std::string& path) {
    if (error.code != Errc::invalid) return Failure(error);
    verdicts_.push_back(config::yaml_verdict(error, path));
    verdicts_.back().rule = "file.unreadable";
    return {};
  }

  Result<> document(const std::string& path) {
    const auto found = source_.look(path);
    if (!found) return content(found.error(), path);
    if (!*found || (*found)->type != Type::file) return {};
    const auto text = source_.read(path);
    if (!text) return content(text.error(), path);
    config::ParsedDocuments parsed = config::parse_documents(*text, path, repository_);
    for (std::size_t i = 0; i < parsed.applications.size(); ++i) {
      named_.emplace(parsed.applications[i].id.name, parsed.applications[i].id.environment);
      paths_.insert(parsed.applications[i].path);
      add(std::move(parsed.applications[i]), parsed.places[i]);
    }
    std::move(parsed.verdicts.begin(), parsed.verdicts.end(), std::back_inserter(verdicts_));
    return {};
  }

  Result<> environments_of(const std::string& name) {
    const std::string folder = std::string(kFolder) + "/" + name;
    for (const TreeSource::Name& entry : TRY(source_.list(folder))) {
      if (entry.type != Type::folder || is_no_environment(entry.name)) continue;
      const std::string path = folder + "/" + entry.name;
      const auto files = TRY(source_.list(path));
      const bool any = std::any_of(files.begin(), files.end(), [](const TreeSource::Name& file) {
        return file.type == Type::file &&
               (is_manifest_file(file.name) || is_kustomization(file.name));
      });
      if (any && !paths_.contains(path) && !named_.contains({name, entry.name}))
        conventional(name, entry.name, path);
    }
    return {};
  }

  void conventional(const std::string& name,
                    const std::string& environment,
                    const std::string& path) {
    Application app;
    app.repository = repository_.name;
    app.path = path;
    app.declared_at = {path, 0, 0};
    app.id = {repository_.project, name, environment, ""};
    if (!config::is_label(name) || !config::is_label(environment)) {
      return warn(app, "the folder '" + printable(path) + "' is not deployed: its name is no label",
                  "lower-case letters, digits and -, at most 63");
    }
    const auto target = repository_.environments.find(environment);
    if (target != repository_.environments.end()) {
      app.id.cluster = target->second.cluster;
      app.ns = target->second.ns;
    }
    if (app.id.cluster.empty() && repository_.clusters.size() == 1)
      app.id.cluster = repository_.clusters.front();
    if (app.id.cluster.empty()) {
      return deny(
          app, "rights.cluster",
          "which cluster is environment \"" + environment + "\"? the repository may use several",
          "name it in a document of plumbline.yaml, or under environments in the server's file");
    }
    if (app.ns.empty()) app.ns = environment == "default" ? name : name + "-" + environment;
    if (!config::is_label(app.ns)) {
      return deny(app, "document.value", "\"" + app.ns + "\" is too long for a namespace",
                  "name another one in a document of plumbline.yaml");
    }
    const config::TargetPlaces places{app.declared_at, app.declared_at, app.declared_at};
    add(std::move(app), places);
  }

  void add(Application app, const config::TargetPlaces& places) {
    auto denied = judge_target(app, places, repository_);
    if (!denied.empty()) {
      std::move(denied.begin(), denied.end(), std::back_inserter(verdicts_));
      return;
    }
    const AppId id = app.id;
    const Place place = app.declared_at;
    const auto [first, fresh] = applications_.emplace(id, std::move(app));
    if (fresh) return;
    Application again = first->second;
    again.declared_at = place;
    deny(again, "document.duplicate",
         id.to_string() + " is declared twice, first in " + first->second.declared_at.to_string(),
         "give one of them another name or environment");
  }

  void deny(const Application& app, std::string rule, std::string message, std::string hint) {
    Verdict verdict;
    verdict.rule = std::move(rule);
    verdict.application = app.id.cluster.empty() ? "" : app.id.to_string();
    verdict.place = app.declared_at;
    verdict.message = std::move(message);
    verdict.hint = std::move(hint);
    verdicts_.push_back(std::move(verdict));
  }

  void warn(const Application& app, std::string message, std::string hint) {
    deny(app, "document.value", std::move(message), std::move(hint));
    verdicts_.back().effect = Effect::warn;
  }

  TreeSource& source_;
  const config::RepositoryBinding& repository_;
  std::map<AppId, Application> applications_;
  std::set<std::pair<std::string, std::string>> named_;  // application, environment: by a document
  std::set<std::string> paths_;                          // of documents
  std::vector<Verdict> verdicts_;
};

}  // namespace

Result<Discovered> discover(TreeSource& source, const config::RepositoryBinding& repository) {
  static_cast<void>(source.take_closure());  // of an earlier use
  Discovery discovery(source, repository);
  TRY(discovery.documents());
  TRY(discovery.convention());
  return discovery.take();
}

}  // namespace plumb::plan
