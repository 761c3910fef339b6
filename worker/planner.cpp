#include "worker/planner.h"

#include <algorithm>
#include <utility>

#include "core/log.h"
#include "core/oid.h"
#include "core/text.h"
#include "drivers/git/repository.h"

namespace plumb::worker {
namespace {

using namespace std::chrono_literals;

constexpr int kEventsAtOnce = 64;
constexpr int kMostLostRenders = 3;

bool is_tracked(const config::RepositoryBinding& binding, const std::string& ref) {
  return std::any_of(binding.branches.begin(), binding.branches.end(),
                     [&](const std::string& branch) { return ref == "refs/heads/" + branch; });
}

std::string first_reason(const std::vector<Verdict>& verdicts) {
  for (const Verdict& verdict : verdicts) {
    if (verdict.effect != Effect::deny) continue;
    std::string text = "refused: ";
    if (!verdict.place.file.empty()) text += verdict.place.to_string() + ": ";
    return text + verdict.message;
  }
  return "";
}

}  // namespace

Planner::Planner(Parts parts) : parts_(std::move(parts)) {}

Planner::~Planner() {
  stop();
}

const config::RepositoryBinding* Planner::binding_of(const std::string& repository) const {
  for (const auto& binding : parts_.config.repositories) {
    if (binding.name == repository) return &binding;
  }
  return nullptr;
}

std::shared_ptr<const plan::RepoState> Planner::state(const std::string& repository,
                                                      const std::string& ref) const {
  return states_.with([&](const auto& states) {
    const auto found = states.find({repository, ref});
    return found == states.end() ? std::make_shared<const plan::RepoState>() : found->second;
  });
}

std::optional<Refusal> Planner::refusal(const std::string& repository,
                                        const std::string& ref) const {
  return refusals_.with([&](const auto& refusals) -> std::optional<Refusal> {
    const auto found = refusals.find({repository, ref});
    if (found == refusals.end()) return std::nullopt;
    return found->second;
  });
}

std::size_t Planner::applications_total() const {
  return states_.with([](const auto& states) {
    std::size_t total = 0;
    for (const auto& [branch, state] : states) total += state->apps.size();
    return total;
  });
}

// ---- planning what moved ----

/// From here on the branch's applications are those of `next`.
void Planner::adopt(const Branch& branch, const std::shared_ptr<const plan::RepoState>& next) {
  const auto before = states_.with([&](auto& states) {
    auto& at = states[branch];
    return std::exchange(at, next);
  });
  // New owners first: an object that moves in one commit is never without one.
  for (const auto& [id, app] : next->apps) {
    const auto known = before ? before->apps.find(id) : next->apps.end();
    if (before && known != before->apps.end() && known->second == app) continue;
    parts_.claims.set(id, app->identities);
  }
  if (!before) return;
  for (const auto& [id, app] : before->apps) {
    if (!next->apps.contains(id)) parts_.claims.drop(id);
  }
}

PlannedEvent Planner::planned_event(const queue::StoredEvent& event,
                                    const Branch& branch,
                                    const CachedUpdate& update,
                                    std::vector<Verdict> verdicts) {
  PlannedEvent planned;
  planned.event = event;
  planned.ref = branch.second;
  planned.old_commit = update.base;
  planned.new_commit = update.commit;
  planned.accept = !any_denied(verdicts);
  planned.affected = update.update.affected;
  planned.renders = update.renders;
  planned.note = planned.accept ? std::to_string(planned.affected.size()) + " applications"
                                : first_reason(verdicts);
  const auto removed = static_cast<std::size_t>(
      std::count_if(planned.affected.begin(), planned.affected.end(),
                    [](const plan::Affected& a) { return a.how == plan::Affected::How::removed; }));
  // An empty branch, a document lost in a merge: more likely a mistake than a wish.
  if (planned.accept && removed > 1 && update.update.next->apps.empty()) {
    planned.removals_wait =
        "the commit removes all " + std::to_string(removed) + " applications of " + branch.first;
  }
  return planned;
}

Result<> Planner::store_plan(const PlannedEvent& planned,
                             const Branch& branch,
                             const CachedUpdate& update) {
  const auto base = state(branch.first, branch.second);
  // Before the jobs exist: they ask who owns what.
  if (planned.accept) adopt(branch, update.update.next);
  auto jobs = parts_.ledger.record_plan(planned);
  if (!jobs && jobs.error().code == Errc::conflict)
    jobs = std::vector<JobId>();  // planned before a restart
  if (!jobs) {
    if (planned.accept) adopt(branch, base);
    return Failure(std::move(jobs).error());
  }
  log::info("event.planned", {{"event", planned.event.id},
                              {"repository", branch.first},
                              {"ref", branch.second},
                              {"commit", planned.new_commit},
                              {"jobs", static_cast<std::int64_t>(jobs->size())},
                              {"rendered", update.update.rendered},
                              {"note", planned.note}});
  return {};
}

Result<> Planner::plan_ref(const queue::StoredEvent& event,
                           const config::RepositoryBinding& binding,
                           const std::string& ref) {
  auto opened = git::Repository::open(binding.path);
  if (!opened) {
    // It may come back: whatever is wrong with it now is no verdict on the commit.
    Error error = std::move(opened).error();
    error.code = Errc::unavailable;
    return Failure(std::move(error));
  }
  const auto repository = *std::move(opened);
  const auto actual = TRY(repository->ref(ref));
  if (!actual) {
    return parts_.ledger.ignore_event(event, ref + " is not there: applications stay as they are");
  }
  if (*actual == state(binding.name, ref)->commit) {
    refusals_.with([&](auto& refusals) { refusals.erase({binding.name, ref}); });
    return parts_.ledger.ignore_event(event, "already planned at " + short_oid(*actual));
  }
  const Branch branch{binding.name, ref};
  trying_.ref = ref;
  trying_.old_commit = state(binding.name, ref)->commit;
  trying_.new_commit = *actual;
  const auto update = TRY(update_to(binding, ref, *repository, *actual));
  auto verdicts = update.verdicts;
  for (Verdict& verdict : judge_ownership(branch, update.update))
    verdicts.push_back(std::move(verdict));
  const auto planned = planned_event(event, branch, update, verdicts);
  if (planned.accept) remember_definitions(update.update);
  // Before the event counts as planned: whoever waits for that asks next whether it was refused.
  refusals_.with([&](auto& refusals) {
    if (planned.accept) refusals.erase(branch);
    if (!planned.accept) refusals[branch] = {*actual, verdicts};
  });
  TRY(store_plan(planned, branch, update));
  parts_.hub.touch();
  parts_.jobs_ready();
  return {};
}

/// What no later try can mend: a commit that is none, a tree too large, a render that kills its
/// engine each time.
void Planner::give_up(const queue::StoredEvent& event, const Error& error) {
  Verdict verdict;
  verdict.rule = "plan.failed";
  verdict.message = error.message;
  verdict.hint = error.hint;
  PlannedEvent refused = trying_;
  refused.event = event;
  refused.accept = false;
  refused.note = "refused: " + printable(error.message, 500);
  if (!refused.new_commit.empty()) {
    refusals_.with([&](auto& refusals) {
      refusals[{event.event.repository, refused.ref}] = {refused.new_commit, {verdict}};
    });
  }
  const auto recorded = parts_.ledger.record_plan(refused);
  if (!recorded)
    log::warn("event.not_refused", {{"event", event.id}, {"message", recorded.error().message}});
}

/// A repository that cannot be read, a full disk, an engine that died: the event stays accepted.
/// But a commit that takes its engine with it each time is refused, or it would be tried for ever.
void Planner::try_later(const queue::StoredEvent& event, Error error) {
  Later& later = later_[event.id];
  const bool same = later.commit == trying_.new_commit;
  later.commit = trying_.new_commit;
  later.lost =
      plan::is_lost_render(error) && !later.commit.empty() ? (same ? later.lost : 0) + 1 : 0;
  if (later.lost >= kMostLostRenders) {
    error.message =
        "gave up after " + std::to_string(later.lost) + " tries: " + std::move(error.message);
    later_.erase(event.id);
    return give_up(event, error);
  }
  later.wait =
      std::min<std::chrono::milliseconds>(later.wait.count() == 0 ? 500ms : later.wait * 2, 30s);
  later.at = std::chrono::steady_clock::now() + later.wait;
}

Result<> Planner::plan_event(const queue::StoredEvent& event) {
  const auto* binding = binding_of(event.event.repository);
  if (binding == nullptr) {
    return parts_.ledger.ignore_event(event, "repository is not in the server's file");
  }
  std::vector<std::string> tracked;
  for (const RefUpdate& ref : event.event.refs) {
    if (is_tracked(*binding, ref.ref) &&
        std::find(tracked.begin(), tracked.end(), ref.ref) == tracked.end()) {
      tracked.push_back(ref.ref);
    }
  }
  if (tracked.empty()) return parts_.ledger.ignore_event(event, "no branch that deploys");
  for (std::size_t i = 1; i < tracked.size(); ++i) {
    // Each further branch is an event of its own, so that its planning is one transaction too.
    Event more = event.event;
    std::erase_if(more.refs, [&](const RefUpdate& ref) { return ref.ref != tracked[i]; });
    more.delivery_id += "#" + tracked[i];
    TRY(parts_.ledger.accept(more));
  }
  return plan_ref(event, *binding, tracked.front());
}

Result<int> Planner::observe(const config::RepositoryBinding& binding,
                             Trigger trigger,
                             const Actor& actor,
                             const std::string& reason) {
  const auto repository = TRY(git::Repository::open(binding.path));
  const auto waiting = TRY(parts_.ledger.store().read<std::vector<queue::StoredEvent>>(
      [](sqlite::Connection& db) { return queue::unplanned(db, kEventsAtOnce); }));
  const auto waits = [&](const std::string& ref, const std::string& commit) {
    return std::any_of(waiting.begin(), waiting.end(), [&](const queue::StoredEvent& stored) {
      return stored.event.repository == binding.name &&
             std::any_of(stored.event.refs.begin(), stored.event.refs.end(),
                         [&](const RefUpdate& update) {
                           return update.ref == ref && update.new_oid == commit;
                         });
    });
  };
  int found = 0;
  for (const std::string& branch : binding.branches) {
    const std::string ref = "refs/heads/" + branch;
    const auto actual = TRY(repository->ref(ref));
    const auto base = state(binding.name, ref)->commit;
    if (!actual || *actual == base || waits(ref, *actual)) continue;
    if (const auto refused = refusal(binding.name, ref); refused && refused->commit == *actual)
      continue;
    const std::string zero(actual->size(), '0');
    const UnixMillis now = parts_.ledger.clock().now();
    Event event{
        binding.name, {{ref, base.empty() ? zero : base, *actual}}, trigger, "", actor, reason,
        now};
    event.delivery_id = "scan:" + std::to_string(now) + ":" + std::to_string(++scans_) + ":" + ref;
    if (!TRY(parts_.ledger.accept(event)).duplicate) ++found;
  }
  if (found > 0) wake();
  return found;
}

void Planner::wake() {
  {
    const std::scoped_lock lock(mutex_);
    look_ = true;
  }
  changed_.notify_all();
}

void Planner::start() {
  thread_ = std::jthread([this](std::stop_token stop) { run(stop); });
}

void Planner::stop() {
  thread_.request_stop();
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  judging_.with([](auto& threads) { threads.clear(); });
}

void Planner::plan_waiting(const std::stop_token& stop) {
  const auto events = parts_.ledger.store().read<std::vector<queue::StoredEvent>>(
      [](sqlite::Connection& db) { return queue::unplanned(db, kEventsAtOnce); });
  if (!events) return;
  const auto now = std::chrono::steady_clock::now();
  for (const auto& event : *events) {
    if (stop.stop_requested()) return;
    const auto known = later_.find(event.id);
    if (known != later_.end() && known->second.at > now) continue;
    trying_ = {};
    const auto planned = plan_event(event);
    if (planned) {
      later_.erase(event.id);
      continue;
    }
    log::warn("event.not_planned", {{"event", event.id}, {"message", planned.error().message}});
    if (planned.error().code == Errc::invalid || planned.error().code == Errc::denied) {
      give_up(event, planned.error());
      continue;
    }
    try_later(event, planned.error());
  }
  if (events->size() == kEventsAtOnce && later_.empty()) wake();
}

void Planner::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      const auto idle = later_.empty() ? 10s : 500ms;
      changed_.wait_for(lock, stop, idle, [&] { return look_; });
      look_ = false;
    }
    plan_waiting(stop);
    mend_plans();
  }
}

}  // namespace plumb::worker
