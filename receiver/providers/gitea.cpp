/// Gitea and Forgejo.
#include <nlohmann/json.hpp>

#include "core/oid.h"
#include "core/text.h"
#include "drivers/json/fields.h"
#include "receiver/providers/provider.h"

namespace plumb::receiver {
namespace {

const std::string kNoObject(40, '0');

/// Some versions send no push with zeros for a branch that is gone, only this.
Result<> read_delete(const nlohmann::json& payload, Delivery& into) {
  const std::string kind = json::text(payload, "ref_type");
  const std::string name = json::text(payload, "ref");
  if (kind != "branch" && kind != "tag") {
    into.unreadable = "ref_type";
    return {};
  }
  if (name.empty()) {
    into.unreadable = "ref";
    return {};
  }
  const std::string prefix = kind == "branch" ? "refs/heads/" : "refs/tags/";
  const std::string ref = name.starts_with("refs/") ? name : prefix + name;
  if (!is_ref_name(ref)) {
    return fail(Errc::invalid, "\"" + printable(ref, 100) + "\" is no name of a ref");
  }
  into.refs.push_back({ref, kNoObject, kNoObject});  // what it was is not said
  return {};
}

}  // namespace

Result<Delivery> read_gitea(const http::Request& request, const nlohmann::json& payload) {
  Delivery made;
  for (const char* forge : {"x-forgejo", "x-gitea", "x-gogs"}) {
    const std::string name(forge);
    if (made.event.empty()) made.event = printable_header(request, name + "-event");
    if (made.sender_id.empty()) made.sender_id = printable_header(request, name + "-delivery");
  }
  if (made.event.empty()) {
    const bool github = request.count("x-github-event") > 0;
    return fail(Errc::invalid, "the header X-Gitea-Event is missing", "",
                github ? "set provider: github" : "");
  }
  made.repositories = repository_names(payload);
  made.actor = actor_of("gitea", payload);
  if (made.event == "push") {
    TRY(read_push(payload, made));
  } else if (made.event == "delete") {
    TRY(read_delete(payload, made));
  } else {
    made.ignored = "the event \"" + made.event + "\" moves no ref";
  }
  return made;
}

}  // namespace plumb::receiver
