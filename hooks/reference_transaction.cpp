#include <algorithm>

#include <unistd.h>

#include "hooks/ask.h"
#include "hooks/chain.h"
#include "hooks/environment.h"
#include "hooks/lines.h"
#include "hooks/pushed_refs.h"
#include "hooks/roles.h"
#include "hooks/settings.h"
#include "hooks/spool_record.h"

namespace plumb::hooks {
namespace {

void tell(const char* word, const Error& error) {
  Lines lines;
  lines.wrap(word, error.message, "  ");
  if (!error.hint.empty()) lines.end_wrapped("hint: ", error.hint, "hint:   ");
  say(lines.text());
}

/// 0 unless the transaction must not go on.
int record(const std::string& state, const Settings& settings, const std::vector<RefUpdate>& refs) {
  const std::string repository = repository_path();
  Spool spool(repository, ::getppid());
  if (state == "prepared") {
    const auto prepared = spool.prepare(refs, claimed_actor());
    if (!prepared) tell("error: no ref moves without a record for plumbd: ", prepared.error());
    return prepared ? 0 : 1;
  }
  if (state == "aborted") spool.abort(refs);
  if (state == "committed") {
    // The ref has moved: from here on nothing may fail; plumbd's scan finds what we could not say.
    if (const auto committed = spool.commit(refs, claimed_actor()); !committed)
      tell("warning: ", committed.error());
    poke(settings.socket, repository);
  }
  return 0;
}

}  // namespace

int reference_transaction(const Invocation& invocation) {
  const auto input = read_input();
  if (!input) {
    tell("error: ", input.error());
    return 1;
  }
  if (const int code = run_earlier_hook(invocation, *input); code != 0) return code;
  const std::string state = invocation.arguments.empty() ? "" : invocation.arguments.front();
  auto refs = parse_updates(*input);
  if (refs.empty()) return 0;
  const auto settings = read_settings(repository_path());
  if (!settings) return 0;  // not installed here; pre-receive says so to those who push
  std::erase_if(refs, [&](const RefUpdate& update) { return !deploys(*settings, update.ref); });
  return refs.empty() ? 0 : record(state, *settings, refs);
}

}  // namespace plumb::hooks
