/// What the server is bound to, and which one it is.
#include <ostream>

#include <nlohmann/json.hpp>

#include "console/texts.h"
#include "console/verb.h"

namespace plumb::console {
namespace {

using Json = nlohmann::json;

Result<int> clusters(const Typed&, Console& console) {
  return answer(console, TRY(console.client.ask("clusters", Json::object())), clusters_text);
}

Result<int> repos(const Typed&, Console& console) {
  return answer(console, TRY(console.client.ask("repos", Json::object())), repos_text);
}

/// Says both versions; the exit code says whether the server was reached.
Result<int> version(const Typed&, Console& console) {
  Json both{{"plumb", PLUMB_VERSION}, {"server", nullptr}};
  const auto server = console.client.ask("version", Json::object());
  if (server) both["server"] = *server;
  if (!server) console.err << error_text(server.error());
  return answer(console, both, version_text, server ? kYes : exit_code_of(server.error()));
}

}  // namespace

std::vector<Verb> server_verbs() {
  const std::string group = "Server";
  return {
      {"cluster list",
       group,
       "the clusters, and whether they are reached",
       {},
       {"cluster list", "cluster", "cluster -o json | jq '.clusters[].version'"},
       clusters,
       true},
      {"repo list",
       group,
       "the repositories, their branches and what was planned last",
       {},
       {"repo list", "repo", "repo -o json | jq '.repositories[].refs'"},
       repos,
       true},
      {"version",
       group,
       "versions of plumb, plumbd and the engines",
       {},
       {"version", "version -o json", "version --socket ./plumbd.sock"},
       version},
  };
}

}  // namespace plumb::console
