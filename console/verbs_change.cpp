/// What differs, and what changes it.
#include <ostream>

#include <nlohmann/json.hpp>

#include "console/texts.h"
#include "console/verb.h"
#include "core/oid.h"
#include "drivers/json/fields.h"

namespace plumb::console {
namespace {

using Json = nlohmann::json;
using Kind = Argument::Kind;

Result<int> diff(const Typed& typed, Console& console) {
  const Json found = TRY(console.client.ask("diff", {{"application", typed.text("APP")}}));
  return answer(console, found, diff_text, json::list(found, "changes").empty() ? kYes : kNo);
}

/// "web/prod@eu-1: job 12 at 4f2c91e, plan 3b9f0c2e" for people, the job's number for pipes.
std::string job_text(const Json& started, const Style& style) {
  const std::string job = std::to_string(json::number(started, "job"));
  if (!style.terminal) return job + "\n";
  return shown(json::text(started, "application")) + ": job " + job + " at " +
         shown(short_oid(json::text(started, "commit"))) + ", plan " +
         shown(json::text(started, "plan").substr(0, 12)) + "\n";
}

Result<int> sync(const Typed& typed, Console& console) {
  const Json params{{"application", typed.text("APP")},
                    {"reapply", typed.has("--reapply")},
                    {"confirm_plan", typed.text("--plan")},
                    {"reason", typed.text("--reason")}};
  const Json started = TRY(console.client.ask("sync", params));
  console.err << "hint: plumb wait " << shown(typed.text("APP")) << "\n";
  return answer(console, started, job_text);
}

Result<int> rollback(const Typed& typed, Console& console) {
  const Json params{{"application", typed.text("APP")},
                    {"to", typed.text("--to")},
                    {"reason", typed.text("--reason")}};
  const Json started = TRY(console.client.ask("rollback", params));
  console.err << "hint: plumb wait " << shown(typed.text("APP"))
              << "     what Git wants now is held until a new commit changes it\n";
  return answer(console, started, job_text);
}

Result<int> suspend_or_resume(const std::string& method,
                              const std::string& done,
                              const Typed& typed,
                              Console& console) {
  const Json params{{"application", typed.text("APP")}, {"reason", typed.text("--reason")}};
  return answer(console, TRY(console.client.ask(method, params)),
                [&](const Json& said, const Style& style) {
                  const std::string name = shown(json::text(said, "application"));
                  return style.terminal ? name + " " + done + "\n" : name + "\n";
                });
}

Result<int> suspend(const Typed& typed, Console& console) {
  return suspend_or_resume("suspend", "is suspended: pushes are planned and wait", typed, console);
}

Result<int> resume(const Typed& typed, Console& console) {
  return suspend_or_resume("resume", "goes on", typed, console);
}

const Argument kApp{Kind::word, "APP",
                    "the application: web/prod@eu-1, or web/prod or web where that is one only"};
const Argument kReason{Kind::option, "--reason", "why; it is kept in the audit trail", "TEXT"};

}  // namespace

std::vector<Verb> change_verbs() {
  const std::string group = "Change";
  return {
      {"diff",
       "See",
       "what Git wants against what was applied; exit code 1 when they differ",
       {kApp},
       {"diff web/prod", "diff web/prod -o json",
        "diff web/prod >/dev/null || plumb sync web/prod"},
       diff},
      {"sync",
       group,
       "apply what Git wants now",
       {kApp,
        {Kind::option, "--plan",
         "confirm exactly this plan (digest, 8 digits or more), with all that it deletes",
         "DIGEST"},
        {Kind::flag, "--reapply", "write every object again, also unchanged ones"},
        kReason},
       {"sync web/prod", "sync web/prod --plan 3b9f0c2e71aa",
        "sync web/prod --reapply --reason \"INC-4711\""},
       sync},
      {"rollback",
       group,
       "apply the plan before, or one that ran healthy",
       {kApp, {Kind::option, "--to", "the commit to go back to", "COMMIT"}, kReason},
       {"rollback web/prod", "rollback web/prod --to 91c0e55",
        "rollback web/prod --reason \"INC-4711 checkout errors\""},
       rollback},
      {"suspend",
       group,
       "apply nothing until resume",
       {kApp, kReason},
       {"suspend web/prod", "suspend web/prod --reason \"peak week\"", "suspend web/prod -o json"},
       suspend},
      {"resume",
       group,
       "go on after suspend",
       {kApp, kReason},
       {"resume web/prod", "resume web/prod --reason \"peak is over\"", "resume web/prod -o json"},
       resume},
  };
}

}  // namespace plumb::console
