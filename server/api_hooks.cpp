#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/log.h"
#include "core/oid.h"
#include "core/text.h"
#include "drivers/json/fields.h"
#include "server/api.h"
#include "server/incoming_pack.h"
#include "server/views.h"

namespace plumb::server {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

constexpr std::size_t kMaxRefs = 100'000;

std::string real_path(const std::string& path) {
  char resolved[PATH_MAX];
  return ::realpath(path.c_str(), resolved) == nullptr ? std::string() : std::string(resolved);
}

Result<std::vector<RefUpdate>> refs_of(const Json& params) {
  std::vector<RefUpdate> refs;
  for (const Json& ref : json::list(params, "refs")) {
    RefUpdate update{json::text(ref, "ref"), json::text(ref, "old"), json::text(ref, "new")};
    if (!is_ref_name(update.ref) || !is_oid(update.old_oid) || !is_oid(update.new_oid)) {
      return fail(Errc::invalid, "a ref update that git would not make: '" + printable(update.ref) + "'");
    }
    const bool twice = std::any_of(refs.begin(), refs.end(), [&](const RefUpdate& r) { return r.ref == update.ref; });
    if (twice) return fail(Errc::invalid, "one ref twice in a push: '" + printable(update.ref) + "'");
    refs.push_back(std::move(update));
    if (refs.size() > kMaxRefs) return fail(Errc::invalid, "more than 100000 refs in one push");
  }
  return refs;
}

bool may_search(const std::string& folder) { return ::access(folder.c_str(), R_OK | X_OK) == 0; }

}  // namespace

void Api::add_hooks() {
  // Not `writes`: the hook proves its repository by the peer's uid, see hook_repository.
  methods_["pre_receive"] = {false, [this](Request& request) { return pre_receive(request); }};
  methods_["post_receive"] = {false, [this](Request& request) { return post_receive(request); }};
  methods_["poke"] = {false, [this](Request& request) { return poke(request); }};
}

Result<const config::RepositoryBinding*> Api::hook_repository(const Json& params, const local::Peer& peer) {
  const std::string asked = real_path(json::text(params, "repository_path"));
  for (const auto& binding : parts_.config.repositories) {
    if (asked.empty() || real_path(binding.path) != asked) continue;
    struct stat info {};
    const bool owner = ::stat(asked.c_str(), &info) == 0 && info.st_uid == peer.uid;
    if (owner || may_write(peer)) return &binding;
    return fail(Errc::denied, "uid " + std::to_string(peer.uid) + " does not own this repository");
  }
  return fail(Errc::invalid, "this repository is not in the server's file", "",
              "add it under spec.repositories, or  plumb hooks uninstall");
}

Api::Answer Api::pre_receive(Request& request) {
  const auto started = parts_.ledger.clock().steady();
  const auto* binding = TRY(hook_repository(request.params, request.caller.peer));
  worker::PushRequest push{TRY(refs_of(request.params)), {}};
  const std::string quarantine = json::text(request.params, "quarantine");
  for (const auto& folder : json::texts(request.params, "object_dirs")) {
    if (folder.starts_with('/') && may_search(folder)) push.object_dirs.push_back(folder);
  }
  std::unique_ptr<IncomingPack> incoming;
  const bool deploys = std::any_of(push.refs.begin(), push.refs.end(), [&](const RefUpdate& ref) {
    return std::find(binding->branches.begin(), binding->branches.end(), branch_of(ref.ref)) != binding->branches.end();
  });
  if (!quarantine.empty() && deploys) {
    if (may_search(quarantine)) {
      push.object_dirs.push_back(quarantine);
    } else {
      // Git keeps quarantined objects readable for its own user only: the hook sends them.
      TRY(request.connection.send('J', R"({"event":{"need":"pack"}})"));
      incoming = TRY(IncomingPack::receive(request.connection, parts_.config.data_dir, binding->path));
      push.object_dirs.push_back(incoming->object_dir());
    }
  }
  const auto judgement = TRY(parts_.planner.judge(*binding, push));
  if (!judgement.accepted) {
    std::vector<Verdict> verdicts;
    for (const auto& judged : judgement.verdicts) verdicts.push_back(judged.verdict);
    Event refused{binding->name, push.refs, Trigger::push, "", request.caller.actor, "", parts_.ledger.clock().now()};
    TRY(parts_.ledger.refuse_push(refused, verdicts));
  }
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(parts_.ledger.clock().steady() - started);
  log::info("push.judged", {{"repository", binding->name}, {"accepted", std::string(judgement.accepted ? "yes" : "no")},
                            {"rendered", judgement.rendered}, {"ms", took.count()}});
  return view(judgement, took.count());
}

Api::Answer Api::poke(Request& request) {
  const auto* binding = TRY(hook_repository(request.params, request.caller.peer));
  return Json{{"events", TRY(parts_.spool.read(*binding))}};
}

Api::Answer Api::post_receive(Request& request) {
  const auto* binding = TRY(hook_repository(request.params, request.caller.peer));
  const auto refs = TRY(refs_of(request.params));
  TRY(parts_.spool.read(*binding));
  std::string commit;
  std::string ref;
  for (const RefUpdate& update : refs) {
    const bool tracked = std::find(binding->branches.begin(), binding->branches.end(), branch_of(update.ref)) !=
                         binding->branches.end();
    if (!tracked || is_zero_oid(update.new_oid)) continue;
    commit = update.new_oid;
    ref = update.ref;
  }
  if (commit.empty()) return Json{{"items", Json::array()}, {"done", true}, {"ok", true}, {"commit", nullptr}};
  // Where no reference-transaction hook left a record (an old git, a copied repository) this is the trigger.
  TRY(parts_.planner.observe(*binding, Trigger::push, request.caller.actor, "", "push:" + ref + ":" + commit + ":" +
                                 std::to_string(parts_.ledger.clock().now())));
  const auto deadline = parts_.ledger.clock().steady() + 30s;
  for (;;) {
    const auto seen = parts_.hub.version();
    const auto refusal = parts_.planner.refusal(binding->name, ref);
    if (refusal && refusal->commit == commit) {
      return Json{{"items", Json::array()}, {"done", true}, {"ok", false}, {"commit", commit},
                  {"refused", refusal->verdicts.empty() ? "" : refusal->verdicts.front().message}};
    }
    if (parts_.planner.state(binding->name, ref)->commit == commit) break;
    if (parts_.ledger.clock().steady() > deadline || request.stop.stop_requested() || request.connection.peer_gone()) break;
    parts_.hub.wait_past(seen, 500ms);
  }
  const auto timeout = std::chrono::milliseconds(
      std::clamp<std::int64_t>(json::number(request.params, "wait_ms", 3'600'000), 0, 3'600'000));
  auto result = TRY(follow(request, [this, commit, repository = binding->name]() -> Result<std::vector<Job>> {
    queue::JobFilter filter;
    filter.commit = commit;
    filter.limit = 1000;
    auto jobs = jobs_of(filter);
    if (jobs) std::erase_if(*jobs, [&](const Job& job) { return job.repository != repository || job.kind == JobKind::rollback; });
    return jobs;
  }, timeout));
  result["commit"] = commit;
  return result;
}

}  // namespace plumb::server
