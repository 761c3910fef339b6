#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <set>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

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
using worker::Refusal;
using Json = nlohmann::json;

constexpr std::size_t kMaxRefs = 100'000;
constexpr std::chrono::milliseconds kPlanningTime{30'000};

std::string real_path(const std::string& path) {
  char resolved[PATH_MAX];
  return ::realpath(path.c_str(), resolved) == nullptr ? std::string() : std::string(resolved);
}

bool moves_one_of(const Event& event, const std::vector<RefUpdate>& moves) {
  return std::any_of(event.refs.begin(), event.refs.end(), [&](const RefUpdate& ref) {
    return std::any_of(moves.begin(), moves.end(), [&](const RefUpdate& move) {
      return move.ref == ref.ref && move.new_oid == ref.new_oid;
    });
  });
}

Result<std::vector<RefUpdate>> refs_of(const Json& params) {
  std::vector<RefUpdate> refs;
  std::set<std::string> seen;
  for (const Json& ref : json::list(params, "refs")) {
    RefUpdate update{json::text(ref, "ref"), json::text(ref, "old"), json::text(ref, "new")};
    if (!is_ref_name(update.ref) || !is_oid(update.old_oid) || !is_oid(update.new_oid)) {
      return fail(Errc::invalid,
                  "a ref update that git would not make: '" + printable(update.ref) + "'");
    }
    if (!seen.insert(update.ref).second)
      return fail(Errc::invalid, "one ref twice in a push: '" + printable(update.ref) + "'");
    refs.push_back(std::move(update));
    if (refs.size() > kMaxRefs) return fail(Errc::invalid, "more than 100000 refs in one push");
  }
  return refs;
}

bool is_tracked(const config::RepositoryBinding& binding, const RefUpdate& update) {
  return std::any_of(
      binding.branches.begin(), binding.branches.end(),
      [&](const std::string& branch) { return update.ref == "refs/heads/" + branch; });
}

}  // namespace

void Api::add_hooks() {
  // Not `writes`: the hook proves its repository by the peer's uid, see hook_repository.
  methods_["pre_receive"] = {false, [this](Request& request) { return pre_receive(request); }};
  methods_["post_receive"] = {false, [this](Request& request) { return post_receive(request); }};
  methods_["poke"] = {false, [this](Request& request) { return poke(request); }};
}

Result<const config::RepositoryBinding*> Api::hook_repository(const Json& params,
                                                              const local::Peer& peer) {
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

/// The folders that the push's new objects can be read from. Only those inside the repository are
/// taken by name: a hook must not lead us to objects of another tenant.
Result<> Api::add_objects(Request& request,
                          const config::RepositoryBinding& binding,
                          worker::PushRequest& push,
                          std::unique_ptr<IncomingPack>& incoming) {
  const std::string objects = real_path(binding.path) + "/objects/";
  const auto may_read = [&](const std::string& folder) {
    const std::string real = real_path(folder);
    return (real + "/").starts_with(objects) && ::access(real.c_str(), R_OK | X_OK) == 0;
  };
  for (const auto& folder : json::texts(request.params, "object_dirs")) {
    if (may_read(folder)) push.object_dirs.push_back(real_path(folder));
  }
  const std::string quarantine = json::text(request.params, "quarantine");
  if (quarantine.empty()) return {};
  if (may_read(quarantine)) {
    push.object_dirs.push_back(real_path(quarantine));
    return {};
  }
  // Git keeps quarantined objects readable for its own user only: the hook sends them.
  TRY(request.connection.send('J', R"({"event":{"need":"pack"}})"));
  incoming = TRY(IncomingPack::receive(request.connection, parts_.config.data_dir, binding.path));
  push.object_dirs.push_back(incoming->object_dir());
  return {};
}

Api::Answer Api::pre_receive(Request& request) {
  const auto started = parts_.ledger.clock().steady();
  const auto* binding = TRY(hook_repository(request.params, request.caller.peer));
  worker::PushRequest push;
  push.refs = TRY(refs_of(request.params));
  std::unique_ptr<IncomingPack> incoming;
  const bool deploys = std::any_of(push.refs.begin(), push.refs.end(),
                                   [&](const RefUpdate& ref) { return is_tracked(*binding, ref); });
  if (deploys) TRY(add_objects(request, *binding, push, incoming));
  push.spent = std::chrono::duration_cast<std::chrono::milliseconds>(
      parts_.ledger.clock().steady() - started);
  const auto judgement = TRY(parts_.planner.judge(*binding, push));
  if (!judgement.accepted) {
    std::vector<Verdict> verdicts;
    for (const auto& judged : judgement.verdicts) verdicts.push_back(judged.verdict);
    if (judgement.deadline_passed) {
      Verdict late;
      late.rule = "hooks.deadline";
      verdicts.push_back(std::move(late));
    }
    Event refused{binding->name,
                  push.refs,
                  Trigger::push,
                  "",
                  request.caller.actor,
                  "",
                  parts_.ledger.clock().now()};
    TRY(parts_.ledger.refuse_push(refused, verdicts));
  }
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      parts_.ledger.clock().steady() - started);
  log::info("push.judged", {{"repository", binding->name},
                            {"accepted", std::string(judgement.accepted ? "yes" : "no")},
                            {"rendered", judgement.rendered},
                            {"ms", took.count()}});
  return view(judgement, took.count());
}

Api::Answer Api::poke(Request& request) {
  const auto* binding = TRY(hook_repository(request.params, request.caller.peer));
  const int events = TRY(parts_.spool.read(*binding));
  return Json{{"events", events}};
}

/// Which of these moves the planner has judged by now; nullopt while one is open.
std::optional<std::vector<Refusal>> Api::refusals_of(const std::string& repository,
                                                     const std::vector<RefUpdate>& moves) const {
  std::vector<Refusal> refused;
  for (const RefUpdate& move : moves) {
    auto refusal = parts_.planner.refusal(repository, move.ref);
    if (refusal && refusal->commit == move.new_oid) {
      refused.push_back(*std::move(refusal));
    } else if (parts_.planner.state(repository, move.ref)->commit != move.new_oid) {
      return std::nullopt;
    }
  }
  return refused;
}

/// Waits until the moves are planned: at most kPlanningTime, for a newer push may have overtaken
/// them.
void Api::await_planned(const Request& request,
                        const std::string& repository,
                        const std::vector<RefUpdate>& moves,
                        std::chrono::milliseconds timeout) {
  const auto deadline =
      parts_.ledger.clock().steady() + std::min<std::chrono::milliseconds>(timeout, kPlanningTime);
  for (;;) {
    const auto seen = parts_.hub.version();
    if (refusals_of(repository, moves)) return;
    if (const auto open = has_unplanned(repository); open && !*open) return;
    if (parts_.ledger.clock().steady() > deadline) return;
    if (request.stop.stop_requested() || request.connection.peer_gone()) return;
    parts_.hub.wait_past(seen, 500ms);
  }
}

Api::Answer Api::post_receive(Request& request) {
  const auto* binding = TRY(hook_repository(request.params, request.caller.peer));
  auto moves = TRY(refs_of(request.params));
  TRY(parts_.spool.read(*binding));
  std::erase_if(moves, [&](const RefUpdate& move) {
    return !is_tracked(*binding, move) || is_zero_oid(move.new_oid);
  });
  if (moves.empty())
    return Json{{"items", Json::array()}, {"done", true}, {"ok", true}, {"commit", nullptr}};
  // Where no reference-transaction hook left a record (an old git, a copied repository) this is the
  // trigger.
  TRY(parts_.planner.observe(*binding, Trigger::push, request.caller.actor, ""));
  Followed followed;
  followed.timeout = std::chrono::milliseconds(
      std::clamp<std::int64_t>(json::number(request.params, "wait_ms", 3'600'000), 0, 3'600'000));
  await_planned(request, binding->name, moves, followed.timeout);
  const std::string commit = moves.front().new_oid;
  if (const auto refused = refusals_of(binding->name, moves); refused && !refused->empty()) {
    const auto& verdicts = refused->front().verdicts;
    return Json{{"items", Json::array()},
                {"done", true},
                {"ok", false},
                {"commit", commit},
                {"refused", verdicts.empty() ? "" : verdicts.front().message}};
  }
  followed.jobs = [this, moves, repository = binding->name]() -> Result<std::vector<Job>> {
    std::vector<Job> all;
    for (const RefUpdate& move : moves) {
      queue::JobFilter filter;
      filter.commit = move.new_oid;
      filter.limit = 1000;
      for (Job& job : TRY(jobs_of(filter))) {
        const bool ours =
            job.repository == repository && job.ref == move.ref && job.kind != JobKind::rollback;
        if (ours) all.push_back(std::move(job));
      }
    }
    return all;
  };
  // Asked of the queue, not of the planner: its state is there a moment before the jobs are.
  followed.more = [this, moves, repository = binding->name]() -> Result<bool> {
    const auto open = TRY(parts_.ledger.store().read<std::vector<queue::StoredEvent>>(
        [](sqlite::Connection& db) { return queue::unplanned(db, 1000); }));
    return std::any_of(open.begin(), open.end(), [&](const queue::StoredEvent& stored) {
      return stored.event.repository == repository && moves_one_of(stored.event, moves);
    });
  };
  auto result = TRY(follow(request, followed));
  result["commit"] = commit;
  return result;
}

}  // namespace plumb::server
