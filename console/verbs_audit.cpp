/// Reads and proves the audit trail.
#include <charconv>

#include <nlohmann/json.hpp>

#include "console/texts.h"
#include "console/verb.h"
#include "core/text.h"
#include "drivers/json/fields.h"

namespace plumb::console {
namespace {

using Json = nlohmann::json;
using Kind = Argument::Kind;

/// The whole name of an application; what was typed when it is not there any more: its leaves are.
Result<std::string> whole_name(const Client& client, const std::string& typed) {
  if (typed.empty() || typed.find('@') != std::string::npos) return typed;
  const auto found = client.ask("app", {{"application", typed}});
  if (found) return json::text(json::object(*found, "application"), "application");
  if (is_not_found(found.error())) return typed;
  return Failure(found.error());
}

Result<int> audit_list(const Typed& typed, Console& console) {
  const std::string app = typed.has("--app") ? typed.text("--app") : typed.text("--application");
  const auto since = TRY(typed.span("--since", 0));
  const auto limit = TRY(typed.number("--limit", 100, 1, 1000));
  const std::string application = TRY(whole_name(console.client, app));
  const Json params{{"application", application},
                    {"repository", typed.text("--repo")},
                    {"commit", typed.text("--commit")},
                    {"verb", typed.text("--verb")},
                    {"actor", typed.text("--actor")},
                    {"since", since == 0 ? 0 : console.now - since},
                    {"limit", limit}};
  return answer(console, TRY(console.client.ask("audit_list", params)), audit_text);
}

Result<Json> head_params(const std::string& typed) {
  if (typed.empty()) return Json::object();
  const auto colon = typed.find(':');
  std::int64_t sequence = 0;
  const auto [end, error] =
      std::from_chars(typed.data(), typed.data() + std::min(colon, typed.size()), sequence);
  const std::string head = colon == std::string::npos ? "" : typed.substr(colon + 1);
  const bool hex =
      head.size() == 64 && head.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (error != std::errc() || end != typed.data() + colon || sequence < 1 || !hex) {
    return fail(Errc::invalid, "\"" + printable(typed, 80) + "\" is no head", "",
                "SEQUENCE:64 hex digits, as  plumb audit verify  printed them");
  }
  return Json{{"sequence", sequence}, {"head", head}};
}

Result<int> audit_verify(const Typed& typed, Console& console) {
  const Json params = TRY(head_params(typed.text("--head")));
  const Json verified =
      TRY(console.client.ask("audit_verify", params, {}, std::chrono::minutes(30)));
  return answer(console, verified, verified_text, json::flag(verified, "ok") ? kYes : kNo);
}

}  // namespace

std::vector<Verb> audit_verbs() {
  const std::string group = "Prove";
  return {
      {"audit list",
       group,
       "who changed what, when, why, and with what effect; newest first",
       {{Kind::option, "--app", "only of this application", "APP"},
        {Kind::option, "--application", "", "APP"},
        {Kind::option, "--repo", "only of this repository", "NAME"},
        {Kind::option, "--commit", "only of commits that begin so", "COMMIT"},
        {Kind::option, "--verb", "only this step: event.accepted, push.refused, apply.*", "VERB"},
        {Kind::option, "--actor", "only by this one", "WHO"},
        {Kind::option, "--since", "only of the last 90s, 2h or 7d", "SPAN"},
        {Kind::option, "--limit", "at most so many (100)", "N"}},
       {"audit list --app web/prod --since 7d", "audit list --verb push.refused",
        "audit list --commit 4f2c91e -o json"},
       audit_list,
       true},
      {"audit verify",
       group,
       "computes the whole chain again; exit code 1 when a leaf does not hold",
       {{Kind::option, "--head", "a head that was kept elsewhere must still be in the chain",
         "SEQ:HEX"}},
       {"audit verify", "audit verify -o json | jq -r '\"\\(.leaves):\\(.head)\"' >head.txt",
        "audit verify --head $(cat head.txt)"},
       audit_verify},
  };
}

}  // namespace plumb::console
