#include <cstdio>

#include <nlohmann/json.hpp>

#include "console/texts.h"
#include "core/oid.h"
#include "drivers/json/fields.h"

namespace plumb::console {
namespace {

using Json = nlohmann::json;

std::string took(const Json& job) {
  const auto finished = json::number(job, "finished_at");
  return finished == 0 ? std::string() : span_text(finished - json::number(job, "created_at"));
}

/// "0 created, 2 configured, 9 unchanged, 1 pruned" -> "~2 -1" for people.
std::string brief(const std::string& message, const Style& style) {
  int created = 0, configured = 0, unchanged = 0, pruned = 0, end = 0;
  const int found =
      std::sscanf(message.c_str(), "%d created, %d configured, %d unchanged, %d pruned%n", &created,
                  &configured, &unchanged, &pruned, &end);
  if (!style.terminal || found != 4 || static_cast<std::size_t>(end) != message.size())
    return message;
  std::string text;
  const auto add = [&](const char* sign, int n) {
    if (n > 0) text += (text.empty() ? "" : " ") + std::string(sign) + std::to_string(n);
  };
  add("~", configured);
  add("+", created);
  add("-", pruned);
  return text.empty() ? "no change" : text;
}

}  // namespace

std::string jobs_text(const Json& answer, const Style& style) {
  const Json& jobs = json::list(answer, "jobs");
  if (jobs.empty() && style.terminal) return "no jobs\n";
  Table table({"JOB", "APPLICATION", "KIND", "COMMIT", "STATE", "ATTEMPT", "CREATED (UTC)", "TOOK",
               "MESSAGE"});
  for (const Json& job : jobs) {
    const std::string state = json::text(job, "state");
    table.row({std::to_string(json::number(job, "id")), json::text(job, "application"),
               json::text(job, "kind"), short_oid(json::text(job, "commit")), state,
               std::to_string(json::number(job, "attempt")),
               time_text(json::number(job, "created_at"), style), took(job),
               brief(json::text(job, "message"), style)},
              paint_of(state), 4);
  }
  return table.text(style);
}

std::string history_text(const Json& answer, const Style& style) {
  const Json& rollouts = json::list(answer, "rollouts");
  if (rollouts.empty() && style.terminal) return "nothing was rolled out yet\n";
  Table table(
      {"TIME (UTC)", "WHO", "WHAT", "COMMIT", "PLAN", "RESULT", "TOOK", "REASON OR RESULT"});
  for (const Json& job : rollouts) {
    const std::string state = json::text(job, "state");
    const std::string reason = json::text(job, "reason");
    table.row({time_text(json::number(job, "created_at"), style), json::text(job, "actor"),
               json::text(job, "kind"), short_oid(json::text(job, "commit")),
               json::text(job, "plan").substr(0, 12), state, took(job),
               reason.empty() ? brief(json::text(job, "message"), style) : reason},
              paint_of(state), 5);
  }
  return table.text(style);
}

std::string logs_text(const Json& answer, const Style& style) {
  const Json& lines = json::list(answer, "lines");
  if (lines.empty() && style.terminal) return "no lines\n";
  std::string text;
  for (const Json& line : lines) {
    text += time_text(json::number(line, "at"), style) + (style.terminal ? "  " : "\t") +
            shown(json::text(line, "line"), 4000) + "\n";
  }
  return text;
}

}  // namespace plumb::console
