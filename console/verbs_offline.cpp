/// What a commit renders to, and what a range of commits touches: from Git alone.
#include <algorithm>
#include <filesystem>
#include <ostream>

#include <nlohmann/json.hpp>

#include "config/names.h"
#include "console/offline.h"
#include "console/slow_notice.h"
#include "console/texts.h"
#include "core/oid.h"
#include "core/text.h"
#include "drivers/json/json.h"
#include "plan/discover.h"
#include "plan/locate.h"
#include "plan/render.h"

namespace plumb::console {
namespace {

using Json = nlohmann::json;
using Kind = Argument::Kind;
namespace fs = std::filesystem;

/// What was typed as folders of the repository: from its root, and from where we stand.
std::vector<std::string> folders_of(const std::string& typed,
                                    const std::string& root,
                                    const std::string& here) {
  std::vector<std::string> folders;
  if (const auto clean = config::clean_folder(typed)) folders.push_back(*clean);
  std::error_code ignored;
  const auto from_here =
      fs::weakly_canonical(fs::path(here) / typed, ignored).lexically_relative(root).string();
  const auto clean = config::clean_folder(from_here);
  if (!from_here.empty() && clean && !from_here.starts_with("..")) folders.push_back(*clean);
  return folders;
}

bool is_called(const Application& app, const std::string& typed) {
  const AppId& id = app.id;
  return id.to_string() == typed || id.name == typed || id.name + "/" + id.environment == typed;
}

/// A folder that no application names, rendered as if one did.
Result<std::optional<Application>> folder_alone(plan::TreeSource& source,
                                                const std::vector<std::string>& folders,
                                                const config::RepositoryBinding& binding) {
  for (const std::string& folder : folders) {
    const auto found = TRY(source.look(folder));
    if (!found || found->type != plan::TreeSource::Found::Type::folder) continue;
    Application app;
    app.repository = binding.name;
    app.path = folder;
    app.ns = "default";
    app.id = {binding.project, folder.empty() ? binding.name : fs::path(folder).filename().string(),
              "default", binding.clusters.empty() ? "default" : binding.clusters.front()};
    return std::optional(app);
  }
  return std::optional<Application>();
}

Result<Application> find_application(plan::TreeSource& source,
                                     const plan::Discovered& discovered,
                                     const std::string& typed,
                                     const std::vector<std::string>& folders,
                                     const config::RepositoryBinding& binding) {
  std::vector<std::string> names;
  std::vector<Application> matches;
  for (const Application& app : discovered.applications) {
    names.push_back(app.id.to_string());
    if (app.id.to_string() == typed) return app;
    if (is_called(app, typed) ||
        std::find(folders.begin(), folders.end(), app.path) != folders.end())
      matches.push_back(app);
  }
  if (matches.size() == 1) return matches.front();
  if (matches.size() > 1) {
    std::string hint = "say which:";
    for (std::size_t i = 0; i < matches.size() && i < 5; ++i)
      hint += "  " + matches[i].id.to_string();
    return fail(Errc::invalid, "more than one application is called \"" + printable(typed) + "\"",
                "", hint);
  }
  if (const auto alone = TRY(folder_alone(source, folders, binding))) return *alone;
  const auto near = nearest(typed, names);
  return Failure(not_found("unknown application or folder \"" + printable(typed) + "\"",
                           near ? "did you mean  " + *near + "  ?"
                                : "it must be committed: this reads Git, not the folder"));
}

/// An object as JSON, with the values of a Secret masked.
std::string shown_object(const Manifest& manifest) {
  if (!manifest.tainted) return manifest.json;
  auto object = json::parse(manifest.json);
  if (!object || !object->is_object()) return "{}";
  for (const char* part : {"data", "stringData"}) {
    const auto values = object->find(part);
    if (values == object->end() || !values->is_object()) continue;
    for (auto& [key, value] : values->items()) value = "***";
  }
  return object->dump();
}

Result<int> render(const Typed& typed, Console& console) {
  const SlowNotice notice(console.notice_fd, "rendering ...");
  const std::string what = typed.text("WHAT");
  const auto offline =
      TRY(Offline::open(typed, console, {typed.has("--commit") ? typed.text("--commit") : "HEAD"}));
  plan::TreeSource source(offline.repository(), TRY(offline.tree(offline.commit(0))));
  const auto discovered = TRY(plan::discover(source, offline.binding()));
  const auto found =
      find_application(source, discovered, what, folders_of(what, offline.root(), console.folder),
                       offline.binding());
  if (!found) {
    console.err << verdicts_text(
        discovered.verdicts);  // a broken document may be why it is unknown
    return Failure(found.error());
  }
  const auto rendered =
      TRY(plan::render(*found, source, offline.engines(), offline_key(), builtin_scope()));
  console.err << verdicts_text(rendered.verdicts);
  if (any_denied(rendered.verdicts)) {
    if (console.json)
      console.out << json_text(
          {{"application", found->id.to_string()}, {"verdicts", verdicts_json(rendered.verdicts)}});
    return kWrongUse;
  }
  Json objects = Json::array();
  for (const Manifest& manifest : rendered.objects) objects.push_back(shown_object(manifest));
  console.err << "# " << shown(found->id.to_string()) << " at " << short_oid(offline.commit(0))
              << ", " << count_of(static_cast<std::int64_t>(objects.size()), "object") << "\n";
  return answer(
      console,
      {{"application", found->id.to_string()}, {"commit", offline.commit(0)}, {"objects", objects}},
      objects_text);
}

struct Range {
  std::string older;  ///< "": before the first commit
  std::string newer;
};

Result<Range> range_of(const std::string& typed) {
  const auto dots = typed.find("..");
  if (dots == std::string::npos || typed.compare(dots, 3, "...") == 0) {
    return fail(Errc::invalid, "\"" + printable(typed) + "\" is no range of commits", "",
                "write it as  OLD..NEW, OLD..  (up to HEAD) or  ..NEW  (everything up to NEW)");
  }
  const std::string newer = typed.substr(dots + 2);
  return Range{typed.substr(0, dots), newer.empty() ? "HEAD" : newer};
}

/// The state that the older commit leaves; an empty one before the first.
Result<plan::RepoState> state_at(const Offline& offline,
                                 const std::string& commit,
                                 Console& console) {
  if (commit.empty()) return plan::RepoState();
  auto tools = offline.tools();
  const auto update =
      TRY(plan::plan_update({}, offline.repository(), commit, offline.binding(), tools));
  if (update.next) return *update.next;
  console.err << verdicts_text(update.verdicts);
  return fail(Errc::invalid,
              "the older commit " + short_oid(commit) +
                  " does not render: there is nothing to compare with",
              "", "take an older one that is good, or  ..NEW  for all applications");
}

Result<int> affected(const Typed& typed, Console& console) {
  const SlowNotice notice(console.notice_fd, "rendering what the range touches ...");
  const Range range = TRY(range_of(typed.text("OLD..NEW")));
  const auto offline = TRY(Offline::open(typed, console, {range.older, range.newer}));
  const auto base = TRY(state_at(offline, offline.commit(0), console));
  auto tools = offline.tools();
  auto update = TRY(
      plan::plan_update(base, offline.repository(), offline.commit(1), offline.binding(), tools));
  plan::locate(update.verdicts, update, offline.repository());
  Json applications = Json::array();
  for (const plan::Affected& one : update.affected) {
    applications.push_back({{"application", one.application.id.to_string()},
                            {"how", plan::to_string(one.how)},
                            {"path", one.application.path}});
  }
  const Json document{{"from", offline.commit(0)},
                      {"to", offline.commit(1)},
                      {"changed_files", update.changed_paths},
                      {"total", update.next ? update.next->apps.size() : base.apps.size()},
                      {"applications", std::move(applications)},
                      {"verdicts", verdicts_json(update.verdicts)}};
  console.err << verdicts_text(update.verdicts);
  return answer(console, document, affected_text, any_denied(update.verdicts) ? kWrongUse : kYes);
}

const Argument kRepo{Kind::option, "--repo", "folder in or of the Git repository (here)", "DIR"};
const Argument kConfig{Kind::option, "--config",
                       "the server's file, for the rights and defaults of the repository", "FILE"};
const Argument kAs{Kind::option, "--as", "name of the repository in the server's file", "NAME"};

}  // namespace

std::vector<Verb> offline_verbs() {
  const std::string group = "Without a server";
  return {
      {"render",
       group,
       "the objects of an application or a folder at a commit; Secret values masked",
       {{Kind::word, "WHAT", "an application, or a folder of the repository"},
        {Kind::option, "--commit", "at this commit (HEAD)", "REV"},
        kRepo,
        kConfig,
        kAs},
       {"render apps/web/prod", "render web/prod --commit main~1",
        "render web/prod -o json | jq -r '.objects[]'"},
       render},
      {"affected",
       group,
       "the applications that a range of commits touches, and how",
       {{Kind::word, "OLD..NEW",
         "two commits; without OLD everything is new, without NEW it is HEAD"},
        kRepo,
        kConfig,
        kAs},
       {"affected origin/main..", "affected HEAD~3..HEAD",
        "affected v1.2..v1.3 --repo ../shop -o json"},
       affected},
  };
}

}  // namespace plumb::console
