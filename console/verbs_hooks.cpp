/// Our hooks in one bare repository of this machine.
#include <filesystem>
#include <ostream>

#include <nlohmann/json.hpp>

#include "console/hooks_install.h"
#include "console/texts.h"
#include "console/verb.h"
#include "core/text.h"
#include "drivers/json/fields.h"

namespace plumb::console {
namespace {

using Json = nlohmann::json;
using Kind = Argument::Kind;

std::string real_path(const std::string& path) {
  std::error_code error;
  const auto real = std::filesystem::canonical(path, error);
  return error ? path : real.string();
}

std::string from_folder(const Console& console, const std::string& path) {
  return (std::filesystem::path(console.folder) / path).lexically_normal().string();
}

Json document_of(const HookReport& report) {
  Json hooks = Json::array();
  for (const HookState& hook : report.hooks) {
    hooks.push_back({{"name", hook.name},
                     {"state", to_string(hook.is)},
                     {"program", hook.program},
                     {"kept", hook.kept},
                     {"note", hook.note}});
  }
  return {{"repository", report.repository},
          {"folder", report.folder},
          {"hooks", std::move(hooks)},
          {"complete", report.complete()},
          {"push_options", report.push_options},
          {"socket", report.settings.socket},
          {"branches", report.settings.branches},
          {"notes", report.notes}};
}

std::string report_text(const Json& report, const Style& style) {
  Table table({"HOOK", "STATE", "RUNS FIRST", "NOTE"});
  for (const Json& hook : json::list(report, "hooks")) {
    table.row({json::text(hook, "name"), json::text(hook, "state"), json::text(hook, "kept"),
               json::text(hook, "note")});
  }
  std::string text = table.text(style);
  if (!style.terminal) return text;
  text = shown(json::text(report, "repository")) + "\n\n" + text;
  for (const auto& note : json::texts(report, "notes")) text += "note: " + shown(note) + "\n";
  return text;
}

/// What the server says about this repository, as the hooks must know it.
Result<HookSettings> settings_of(const Console& console, const std::string& repository) {
  const Json answer = TRY(console.client.ask("repos", Json::object()));
  for (const Json& known : json::list(answer, "repositories")) {
    if (real_path(json::text(known, "path")) != real_path(repository)) continue;
    HookSettings settings;
    settings.socket = from_folder(console, console.client.socket());
    settings.branches = json::texts(known, "branches");
    const Json& hooks = json::object(known, "hooks");
    settings.refuse_when_down = json::text(hooks, "when_down") != "accept";
    settings.deadline =
        std::chrono::milliseconds(json::number(hooks, "deadline_ms", settings.deadline.count()));
    settings.wait =
        std::chrono::milliseconds(json::number(hooks, "wait_ms", settings.wait.count()));
    return settings;
  }
  return Failure(not_found(
      "unknown repository '" + printable(repository) + "': the server's file does not name it",
      "add it under spec.repositories and restart plumbd;  plumb repo  lists those it has"));
}

Result<int> install(const Typed& typed, Console& console) {
  const std::string repository = from_folder(console, typed.text("REPO"));
  const HookSettings settings = TRY(settings_of(console, repository));
  const auto report = TRY(install_hooks(repository, console.hook_program, settings));
  return answer(console, document_of(report), report_text, report.complete() ? kYes : kNo);
}

Result<int> status(const Typed& typed, Console& console) {
  const auto report =
      TRY(hooks_status(from_folder(console, typed.text("REPO")), console.hook_program));
  return answer(console, document_of(report), report_text, report.complete() ? kYes : kNo);
}

Result<int> uninstall(const Typed& typed, Console& console) {
  const auto report = TRY(uninstall_hooks(from_folder(console, typed.text("REPO"))));
  return answer(console, document_of(report), report_text);
}

const Argument kRepository{Kind::word, "REPO", "folder of a bare repository on this machine"};

}  // namespace

std::vector<Verb> hooks_verbs() {
  const std::string group = "Server";
  return {
      {"hooks install",
       group,
       "our hooks in a bare repository; hooks that were there are kept and run first",
       {kRepository},
       {"hooks install /srv/git/shop.git", "hooks install ./shop.git --socket ./plumbd.sock",
        "hooks install /srv/git/shop.git -o json"},
       install},
      {"hooks status",
       group,
       "which hooks are there; exit code 1 when ours are not complete",
       {kRepository},
       {"hooks status /srv/git/shop.git", "hooks status .", "hooks status . -o json"},
       status},
      {"hooks uninstall",
       group,
       "puts back what was there before",
       {kRepository},
       {"hooks uninstall /srv/git/shop.git", "hooks uninstall .", "hooks uninstall . -o json"},
       uninstall},
  };
}

}  // namespace plumb::console
