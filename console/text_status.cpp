#include <algorithm>

#include <nlohmann/json.hpp>

#include "console/texts.h"
#include "core/oid.h"
#include "drivers/json/fields.h"

namespace plumb::console {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostNeeds = 20;
constexpr std::size_t kName = 64;

std::string counts_line(const Json& counts, const Style& style) {
  std::string line;
  for (const char* state : {"healthy", "progressing", "degraded", "waiting", "unknown"}) {
    const auto n = json::number(counts, state);
    const std::string one = std::string(state) + " " + std::to_string(n);
    line += (line.empty() ? "" : "   ") + (n == 0 ? one : painted(one, paint_of(state), style));
  }
  return line;
}

std::string unreachable_clusters(const Json& clusters, const Style& style) {
  std::string text;
  for (const Json& cluster : clusters) {
    if (json::flag(cluster, "reachable")) continue;
    text += "  cluster " + painted(shown(json::text(cluster, "name")), Paint::bad, style) +
            " not reached: " + shown(json::text(cluster, "message")) + "\n";
  }
  return text;
}

/// "behind", "current", ..., with a suspension in front.
std::string git_word(const Json& app) {
  return json::flag(app, "suspended") ? "suspended" : json::text(app, "git");
}

/// "web/prod@eu-1 waits: manual sync" -> "manual sync": name and state stand in front of it.
std::string without_name(const Json& need) {
  std::string message = json::text(need, "message");
  for (const std::string& beginning :
       {json::text(need, "application") + " ", std::string("waits: "), std::string("is ")}) {
    if (message.starts_with(beginning)) message.erase(0, beginning.size());
  }
  return message;
}

std::string need_text(const Json& need, std::size_t column, const Style& style) {
  const std::string name = shown(json::text(need, "application"), kName);
  const std::string state = shown(json::text(need, "state"), 20);
  const auto pad = [](const std::string& text, std::size_t width) {
    return std::string(text.size() < width ? width - text.size() : 0, ' ') + "  ";
  };
  std::string text = "  " + name + pad(name, column) + painted(state, paint_of(state), style) +
                     pad(state, 9) + shown(without_name(need)) + "\n";
  for (const std::string& line : command_lines(json::text(need, "next")))
    text += std::string(column + 4, ' ') + line + "\n";
  return text;
}

std::string needs_text(const Json& needs, const Style& style) {
  std::size_t column = 0;
  for (const Json& need : needs)
    column = std::max(column, shown(json::text(need, "application"), kName).size());
  std::string text = "\n" + painted("NEEDS YOU", Paint::strong, style) + "\n";
  std::size_t told = 0;
  for (const Json& need : needs) {
    if (++told > kMostNeeds) {
      return text + "  and " + std::to_string(needs.size() - kMostNeeds) + " more:  plumb apps\n";
    }
    text += need_text(need, column, style);
  }
  return text;
}

}  // namespace

std::vector<std::string> command_lines(const std::string& next) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < next.size();) {
    const std::size_t end = std::min(next.find("  ", at), next.size());
    const std::string part = shown(next.substr(at, end - at), 400);
    // "then", "or": they go with the command behind them.
    const bool joins = !lines.empty() && lines.back().find(' ') == std::string::npos;
    if (joins) {
      lines.back() += "  " + part;
    } else if (!part.empty()) {
      lines.push_back(part);
    }
    at = std::min(next.find_first_not_of(' ', end), next.size());
  }
  return lines;
}

std::string status_text(const Json& answer, const Style& style) {
  const Json& counts = json::object(answer, "applications");
  const Json& clusters = json::list(answer, "clusters");
  std::string text = count_of(json::number(counts, "total"), "application") + " on " +
                     count_of(static_cast<std::int64_t>(clusters.size()), "cluster") + "   as of " +
                     time_text(json::number(answer, "as_of"), style) +
                     (style.terminal ? " UTC" : "") + "\n\n  " + counts_line(counts, style) + "\n";
  if (const auto address = json::text(answer, "http"); !address.empty()) {
    text += "  webhooks and metrics at http://" + shown(address) + "\n";
  }
  const std::string unreachable = unreachable_clusters(clusters, style);
  text += unreachable;
  const Json& needs = json::list(answer, "needs_you");
  const auto healthy = json::number(counts, "healthy");
  if (needs.empty()) {
    const bool calm = unreachable.empty() && json::number(counts, "total") > 0;
    return text + (calm ? "\nnothing needs you\n" : "");
  }
  text += needs_text(needs, style);
  if (healthy == 0) return text;
  return text + "\n" + count_of(healthy, "healthy application") + " not listed; all:  plumb apps\n";
}

std::string apps_text(const Json& answer, const Style& style) {
  const Json& apps = json::list(answer, "applications");
  if (apps.empty() && style.terminal) {
    return "no applications yet; push a plumbline.yaml or a folder "
           "apps/<application>/<environment>\n";
  }
  Table table({"APPLICATION", "HEALTH", "GIT", "RUNS", "WANTED", "SINCE", "REPOSITORY", "PATH"});
  for (const Json& app : apps) {
    const std::string health = json::text(app, "health");
    table.row(
        {json::text(app, "application"), health, git_word(app),
         short_oid(json::text(app, "applied_commit")), short_oid(json::text(app, "wanted_commit")),
         time_text(json::number(app, "applied_at"), style), json::text(app, "repository"),
         json::text(app, "path")},
        paint_of(health), 1);
  }
  return table.text(style);
}

std::string app_text(const Json& answer, const Style& style) {
  const Json& app = json::object(answer, "application");
  const std::string health = shown(json::text(app, "health"));
  std::string text = painted(shown(json::text(app, "application")), Paint::strong, style) + "   " +
                     painted(health, paint_of(health), style) + "   " + shown(git_word(app)) +
                     "\n\n";
  const auto line = [&](const std::string& name, const std::string& value) {
    if (!value.empty())
      text += "  " + name + std::string(12 - name.size(), ' ') + shown(value) + "\n";
  };
  line("message", json::text(app, "health_message"));
  line("repository",
       json::text(app, "repository") + " " + std::string(branch_of(json::text(app, "ref"))));
  line("path", json::text(app, "path"));
  line("engine", json::text(app, "engine"));
  line("namespace", json::text(app, "namespace"));
  line("sync", json::text(app, "sync"));
  line("suspended", json::text(app, "suspended_because"));
  line("runs", short_oid(json::text(app, "applied_commit")));
  line("wanted", short_oid(json::text(app, "wanted_commit")));
  line("held", short_oid(json::text(app, "held_commit")));
  line("plan", json::text(app, "wanted_plan").substr(0, 12));
  Table objects({"OBJECT", "STATE"});
  for (const Json& object : json::list(answer, "objects")) {
    objects.row({json::text(object, "title"), json::text(object, "state")});
  }
  if (!objects.empty()) text += "\n" + objects.text(style);
  return text;
}

std::string why_text(const Json& answer, const Style& style) {
  std::string text = shown(json::text(answer, "sentence"), 1000) + "\n";
  for (const std::string& line : command_lines(json::text(answer, "next")))
    text += painted("hint:", Paint::faint, style) + " " + line + "\n";
  return text;
}

}  // namespace plumb::console
