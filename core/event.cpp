#include "core/event.h"

#include <array>

namespace plumb {

std::string_view to_string(Assurance assurance) noexcept {
  switch (assurance) {
    case Assurance::claimed: return "claimed";
    case Assurance::peer_uid: return "peer-uid";
    case Assurance::platform: return "platform";
    case Assurance::signed_push: return "signed-push";
    case Assurance::token: return "token";
    case Assurance::oidc: return "oidc";
  }
  return "claimed";
}

Result<Assurance> parse_assurance(std::string_view word) {
  constexpr std::array kAll{Assurance::claimed,     Assurance::peer_uid, Assurance::platform,
                            Assurance::signed_push, Assurance::token,    Assurance::oidc};
  for (const Assurance assurance : kAll) {
    if (word == to_string(assurance)) return assurance;
  }
  return fail(Errc::invalid, "no assurance '" + std::string(word) + "'");
}

Actor system_actor() {
  return {"plumbline", "plumbline", Assurance::platform};
}

std::string_view to_string(Trigger trigger) noexcept {
  switch (trigger) {
    case Trigger::push: return "push";
    case Trigger::webhook: return "webhook";
    case Trigger::spool: return "spool";
    case Trigger::scan: return "scan";
    case Trigger::sync: return "sync";
    case Trigger::rollback: return "rollback";
  }
  return "push";
}

Result<Trigger> parse_trigger(std::string_view word) {
  constexpr std::array kAll{Trigger::push, Trigger::webhook, Trigger::spool,
                            Trigger::scan, Trigger::sync,    Trigger::rollback};
  for (const Trigger trigger : kAll) {
    if (word == to_string(trigger)) return trigger;
  }
  return fail(Errc::invalid, "no trigger '" + std::string(word) + "'");
}

}  // namespace plumb
