/// What the server knows about applications and jobs.
#include <charconv>

#include <nlohmann/json.hpp>

#include "console/texts.h"
#include "console/verb.h"
#include "core/job.h"
#include "core/text.h"
#include "drivers/json/fields.h"

namespace plumb::console {
namespace {

using Json = nlohmann::json;
using Kind = Argument::Kind;

Result<int> status(const Typed&, Console& console) {
  return answer(console, TRY(console.client.ask("status", Json::object())), status_text);
}

Result<int> apps(const Typed& typed, Console& console) {
  if (!typed.has("APP"))
    return answer(console, TRY(console.client.ask("apps", Json::object())), apps_text);
  return answer(console, TRY(console.client.ask("app", {{"application", typed.text("APP")}})),
                app_text);
}

Result<int> why(const Typed& typed, Console& console) {
  return answer(console, TRY(console.client.ask("why", {{"application", typed.text("APP")}})),
                why_text);
}

Result<int> history(const Typed& typed, Console& console) {
  const auto limit = TRY(typed.number("--limit", 20, 1, 1000));
  const Json params{{"application", typed.text("APP")}, {"limit", limit}};
  return answer(console, TRY(console.client.ask("history", params)), history_text);
}

Result<> check_state(const std::string& state) {
  if (state.empty() || parse_job_state(state)) return {};
  const std::vector<std::string> known{"waiting",    "queued", "running", "done",
                                       "superseded", "failed", "poison"};
  std::string all;
  for (const auto& word : known) all += (all.empty() ? "" : ", ") + word;
  const auto near = nearest(state, known);
  return fail(Errc::invalid, "\"" + printable(state, 40) + "\" is no state of a job", "",
              near ? "did you mean  " + *near + "  ?" : "it is one of " + all);
}

Result<int> jobs(const Typed& typed, Console& console) {
  TRY(check_state(typed.text("--state")));
  const std::string app = typed.has("APP") ? typed.text("APP") : typed.text("--app");
  const auto limit = TRY(typed.number("--limit", 50, 1, 1000));
  const Json params{{"application", app}, {"state", typed.text("--state")}, {"limit", limit}};
  return answer(console, TRY(console.client.ask("jobs", params)), jobs_text);
}

Result<int> logs(const Typed& typed, Console& console) {
  const std::string what = typed.text("WHAT");
  std::int64_t job = 0;
  const auto [end, error] = std::from_chars(what.data(), what.data() + what.size(), job);
  const bool is_job = error == std::errc() && end == what.data() + what.size() && job > 0;
  return answer(
      console,
      TRY(console.client.ask("logs", is_job ? Json{{"job", job}} : Json{{"application", what}})),
      logs_text);
}

const Argument kApp{Kind::word, "APP",
                    "the application: web/prod@eu-1, or web/prod or web where that is one only"};

}  // namespace

std::vector<Verb> read_verbs() {
  const std::string group = "See";
  return {
      {"status",
       group,
       "what runs, and what needs you",
       {},
       {"status", "status -o json", "status --socket ./plumbd.sock"},
       status},
      {"apps",
       group,
       "all applications, or one with its objects",
       {{Kind::maybe_word, "APP", "one application"}},
       {"apps", "apps web/prod", "apps -o json"},
       apps},
      {"why",
       group,
       "one sentence: why is it as it is?",
       {kApp},
       {"why web/prod", "why web/prod@eu-1", "why web -o json"},
       why},
      {"history",
       group,
       "what was rolled out, when, by whom, newest first",
       {kApp, {Kind::option, "--limit", "at most so many (20)", "N"}},
       {"history web/prod", "history web/prod --limit 100", "history web/prod -o json"},
       history},
      {"jobs",
       group,
       "the work that is done, under way or waiting, newest first",
       {{Kind::maybe_word, "APP", "only of this application"},
        {Kind::option, "--app", "", "APP"},
        {Kind::option, "--state",
         "only waiting, queued, running, done, superseded, failed or poison", "STATE"},
        {Kind::option, "--limit", "at most so many (50)", "N"}},
       {"jobs", "jobs --state poison", "jobs web/prod --limit 5"},
       jobs},
      {"logs",
       group,
       "what a job said",
       {{Kind::word, "WHAT", "a job's number, or an application for its newest job"}},
       {"logs web/prod", "logs 4711", "logs web/prod -o json"},
       logs},
  };
}

}  // namespace plumb::console
