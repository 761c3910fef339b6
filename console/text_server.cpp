#include <nlohmann/json.hpp>

#include "console/texts.h"
#include "core/oid.h"
#include "drivers/json/fields.h"

namespace plumb::console {
namespace {

using Json = nlohmann::json;

}  // namespace

std::string clusters_text(const Json& answer, const Style& style) {
  const Json& clusters = json::list(answer, "clusters");
  if (clusters.empty() && style.terminal) return "no clusters in the server's file\n";
  Table table({"CLUSTER", "REACHED", "VERSION", "SCHEMA", "UID", "MESSAGE"});
  for (const Json& cluster : clusters) {
    const std::string reached = json::flag(cluster, "reachable") ? "yes" : "no";
    const auto age = json::number(cluster, "schema_age_ms", -1);
    table.row({json::text(cluster, "name"), reached, json::text(cluster, "version"),
               age < 0 ? "never read" : span_text(age) + " old", json::text(cluster, "uid"),
               json::text(cluster, "message")},
              paint_of(reached), 1);
  }
  return table.text(style);
}

std::string repos_text(const Json& answer, const Style& style) {
  const Json& repositories = json::list(answer, "repositories");
  if (repositories.empty() && style.terminal) return "no repositories in the server's file\n";
  Table table({"REPOSITORY", "BRANCH", "PLANNED", "REFUSED", "APPLICATIONS", "PATH"});
  for (const Json& repository : repositories) {
    for (const Json& ref : json::list(repository, "refs")) {
      table.row({json::text(repository, "name"), std::string(branch_of(json::text(ref, "ref"))),
                 short_oid(json::text(ref, "planned")), short_oid(json::text(ref, "refused")),
                 std::to_string(json::number(repository, "applications")),
                 json::text(repository, "path")},
                Paint::bad, 3);
    }
  }
  return table.text(style);
}

std::string version_text(const Json& answer, const Style& style) {
  static_cast<void>(style);
  std::string text = "plumb " + shown(json::text(answer, "plumb")) + "\n";
  const Json& server = json::object(answer, "server");
  if (server.empty()) return text + "plumbd not reached\n";
  return text + "plumbd " + shown(json::text(server, "version")) + "\nengines " +
         shown(json::text(server, "engines")) + "\n";
}

}  // namespace plumb::console
