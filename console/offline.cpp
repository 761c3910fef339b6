#include "console/offline.h"

#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "config/documents.h"
#include "core/text.h"
#include "plan/tree_source.h"
#include "plan/validate.h"

namespace plumb::console {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNoCluster = "default";

bool is_repository(const fs::path& folder) {
  std::error_code ignored;
  if (fs::exists(folder / ".git", ignored)) return true;
  return fs::exists(folder / "HEAD", ignored) && fs::is_directory(folder / "objects", ignored);
}

Result<std::string> find_root(const std::string& start, const std::string& typed) {
  std::error_code error;
  fs::path folder = fs::canonical(start, error);
  if (error) return fail(Errc::invalid, "'" + printable(typed) + "' does not exist");
  for (;; folder = folder.parent_path()) {
    if (is_repository(folder)) return folder.string();
    if (folder == folder.parent_path()) break;
  }
  return fail(Errc::invalid, "'" + printable(typed) + "' is in no Git repository", "",
              "name one with  --repo DIR");
}

/// The repository of the server's file that this clone stands for.
Result<config::RepositoryBinding> configured_binding(const config::ServerConfig& config,
                                                     const std::string& root,
                                                     const std::string& name) {
  std::vector<std::string> names;
  for (const auto& binding : config.repositories) {
    names.push_back(binding.name);
    std::error_code error;
    const bool same = fs::equivalent(binding.path, root, error) && !error;
    if (binding.name == name || (name.empty() && (same || config.repositories.size() == 1)))
      return binding;
  }
  std::string all;
  for (const auto& known : names) all += (all.empty() ? "" : ", ") + known;
  if (name.empty())
    return fail(Errc::invalid, "which repository of the server's file is this?", "",
                "name it:  --as " + all);
  const auto near = nearest(name, names);
  return Failure(not_found("unknown repository \"" + printable(name) + "\"",
                           near ? "did you mean  " + *near + "  ?" : "there is: " + all));
}

struct Guess {
  config::RepositoryBinding binding;

  void allow(const std::string& cluster) {
    auto& all = binding.clusters;
    if (std::find(all.begin(), all.end(), cluster) == all.end()) all.push_back(cluster);
  }

  /// Environments whose documents or folders name no cluster.
  void learn(const std::string& text, const std::string& file) {
    config::RepositoryBinding anything = binding;
    anything.clusters = {kNoCluster};
    anything.environments.clear();
    for (const Application& app : config::parse_documents(text, file, anything).applications) {
      allow(app.id.cluster);
      if (app.id.cluster == kNoCluster) binding.environments[app.id.environment] = {kNoCluster, ""};
    }
  }
};

/// Names in a folder of the tree; none if it is no folder.
std::vector<plan::TreeSource::Name> names_in(plan::TreeSource& source, const std::string& folder) {
  auto names = source.list(folder);
  return names ? *std::move(names) : std::vector<plan::TreeSource::Name>();
}

}  // namespace

Result<config::RepositoryBinding> guessed_binding(git::Repository& repository,
                                                  const std::vector<std::string>& trees,
                                                  const std::string& name) {
  Guess guess;
  guess.binding.name = name;
  guess.allow(kNoCluster);
  for (const std::string& tree : trees) {
    plan::TreeSource source(repository, tree);
    std::vector<std::string> files{"plumbline.yaml"};
    for (const auto& entry : names_in(source, ".plumbline"))
      files.push_back(".plumbline/" + entry.name);
    for (const std::string& file : files) {
      if (const auto text = source.read(file)) guess.learn(*text, file);
    }
    for (const auto& application : names_in(source, "apps")) {
      for (const auto& environment : names_in(source, "apps/" + application.name)) {
        guess.binding.environments[environment.name] = {kNoCluster, ""};
      }
    }
  }
  return guess.binding;
}

const plan::ProjectKey& offline_key() {
  static const plan::ProjectKey key("plumb renders without a server..");
  return key;
}

plan::IsNamespaced builtin_scope() {
  return [](std::string_view api_version, std::string_view kind) {
    return plan::builtin_namespaced(api_version, kind).value_or(true);
  };
}

Result<Offline> Offline::open(const Typed& typed,
                              const Console& console,
                              const std::vector<std::string>& revisions) {
  Offline made;
  const std::string start = typed.has("--repo")
                                ? (fs::path(console.folder) / typed.text("--repo")).string()
                                : console.folder;
  made.root_ = TRY(find_root(start, typed.has("--repo") ? typed.text("--repo") : console.folder));
  made.repository_ = TRY(git::Repository::open(made.root_));
  std::vector<std::string> trees;
  for (const std::string& revision : revisions) {
    if (revision.empty()) {
      made.commits_.emplace_back();
      continue;
    }
    const auto commit = made.repository_->resolve_commit(revision);
    if (!commit && commit.error().code == Errc::invalid) {
      return Failure(not_found("unknown commit \"" + printable(revision) + "\"",
                               "git log --oneline   lists them"));
    }
    made.commits_.push_back(TRY(Result<std::string>(commit)));
    trees.push_back(TRY(made.tree(made.commits_.back())));
  }
  if (typed.has("--config")) {
    const auto config = TRY(
        config::load_server_config((fs::path(console.folder) / typed.text("--config")).string()));
    made.binding_ = TRY(configured_binding(config, made.root_, typed.text("--as")));
  } else {
    made.binding_ =
        TRY(guessed_binding(*made.repository_, trees, fs::path(made.root_).stem().string()));
  }
  plan::EngineOptions options;
  options.program = console.engines;
  options.max_children = 1;
  made.engines_ = std::make_unique<plan::EnginePool>(options);
  return made;
}

Result<std::string> Offline::tree(const std::string& commit) const {
  return TRY(repository_->commit(commit)).tree;
}

plan::UpdateTools Offline::tools() const {
  return {*engines_,
          [](const std::string&) -> const plan::ProjectKey& { return offline_key(); },
          [](const std::string&) { return builtin_scope(); },
          {},
          {}};
}

std::string verdicts_text(const std::vector<Verdict>& verdicts) {
  std::string text;
  for (const Verdict& verdict : verdicts) {
    text +=
        (verdict.effect == Effect::deny ? "error[" : "warning[") + shown(verdict.rule, 60) + "]: ";
    if (!verdict.place.file.empty()) text += shown(verdict.place.to_string()) + ": ";
    if (!verdict.object.empty()) text += shown(verdict.object) + ": ";
    text += shown(verdict.message, 2000) + "\n";
    if (!verdict.hint.empty()) text += "hint: " + shown(verdict.hint, 1000) + "\n";
  }
  return text;
}

nlohmann::json verdicts_json(const std::vector<Verdict>& verdicts) {
  nlohmann::json all = nlohmann::json::array();
  for (const Verdict& v : verdicts) {
    all.push_back({{"effect", to_string(v.effect)},
                   {"rule", v.rule},
                   {"application", v.application},
                   {"object", v.object},
                   {"field", v.field},
                   {"file", v.place.file},
                   {"line", v.place.line},
                   {"column", v.place.column},
                   {"message", v.message},
                   {"hint", v.hint}});
  }
  return all;
}

}  // namespace plumb::console
