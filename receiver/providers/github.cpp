/// GitHub and GitHub Enterprise Server.
#include <nlohmann/json.hpp>

#include "receiver/providers/provider.h"

namespace plumb::receiver {

Result<Delivery> read_github(const http::Request& request, const nlohmann::json& payload) {
  // Gitea and its kin send X-GitHub-Event as well, with other fields.
  for (const char* other : {"x-gitea-event", "x-forgejo-event", "x-gogs-event"}) {
    if (request.count(other) > 0) {
      return fail(Errc::invalid, "not a delivery of GitHub", "", "set provider: gitea");
    }
  }
  Delivery made;
  made.event = printable_header(request, "x-github-event");
  if (made.event.empty()) return fail(Errc::invalid, "the header X-GitHub-Event is missing");
  made.sender_id = printable_header(request, "x-github-delivery");
  made.repositories = repository_names(payload);
  made.actor = actor_of("github", payload);
  if (made.event != "push") {  // a created or deleted branch is a push too
    made.ignored = made.event == "ping" ? "ping" : "the event \"" + made.event + "\" moves no ref";
    return made;
  }
  TRY(read_push(payload, made));
  // Refs of a merge queue are thrown away after its checks.
  if (!made.refs.empty() && made.refs.front().ref.starts_with("refs/heads/gh-readonly-queue/")) {
    made.ignored = "a branch of the merge queue";
  }
  return made;
}

}  // namespace plumb::receiver
