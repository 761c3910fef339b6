#include <set>

#include "core/oid.h"
#include "plan/plan_store.h"
#include "worker/planner.h"

namespace plumb::worker {
namespace {

constexpr int kMostCommits = 1000;  // counted for people, no further

/// A judgement under way, which its asker may stop waiting for.
struct Pending {
  std::mutex mutex;
  std::condition_variable changed;
  explicit Pending(std::chrono::steady_clock::time_point deadline) : so_far(deadline) {}
  std::optional<Result<Judgement>> answer;
  JudgedSoFar so_far;
  std::shared_ptr<std::atomic<bool>> over = std::make_shared<std::atomic<bool>>(false);
};

bool deploys(const config::RepositoryBinding& binding, const RefUpdate& update) {
  for (const std::string& branch : binding.branches) {
    if (update.ref == "refs/heads/" + branch) return true;
  }
  return false;
}

}  // namespace

bool JudgedSoFar::go_on(std::size_t planned, const std::vector<Application>& all) {
  count_.with([&](Count& count) {
    if (planned == 0) {
      before_ = count.all.size();
      for (const Application& app : all) count.all.push_back(app.id);
    }
    count.judged = before_ + planned;
  });
  return std::chrono::steady_clock::now() < deadline_;
}

/// What the push changes against what was applied last, or, before that, against what was planned.
std::vector<plan::ObjectChange> Planner::changes_of(const plan::Affected& affected) {
  const auto before = parts_.ledger.store().read<std::vector<Manifest>>(
      [&](sqlite::Connection& db) -> Result<std::vector<Manifest>> {
        const auto row = TRY(queue::find_app(db, affected.application.id));
        const std::string digest =
            row && !row->applied_plan.empty() ? row->applied_plan : affected.old_digest;
        if (digest.empty()) return std::vector<Manifest>();
        return TRY(plan::load_plan(db, digest, parts_.keys.key_of(affected.application.id.project)))
            .objects;
      });
  return plan::diff_objects(before ? *before : std::vector<Manifest>(), affected.plan.objects);
}

Result<> Planner::judge_ref(const config::RepositoryBinding& binding,
                            git::Repository& repository,
                            const RefUpdate& ref,
                            JudgedSoFar& so_far,
                            Judgement& judgement) {
  if (is_zero_oid(ref.new_oid)) {
    judgement.notes.push_back(std::string(branch_of(ref.ref)) +
                              " goes away: its applications stay as they are in their clusters");
    return {};
  }
  const auto made = TRY(update_to(binding, ref.ref, repository, ref.new_oid,
                                  [&](std::size_t planned, const std::vector<Application>& all) {
                                    return so_far.go_on(planned, all);
                                  }));
  const plan::Update& update = made.update;
  judgement.deadline_passed = update.stopped;
  if (update.stopped) return {};
  std::vector<Verdict> verdicts = made.verdicts;
  for (Verdict& verdict : judge_ownership({binding.name, ref.ref}, update))
    verdicts.push_back(std::move(verdict));
  judgement.commits += TRY(repository.count_commits(ref.old_oid, ref.new_oid, kMostCommits));
  judgement.changed_files += update.changed_paths;
  judgement.changed_folder = update.changed_folder;
  judgement.rendered += update.rendered;
  if (update.next) {
    const auto base = state(binding.name, ref.ref);
    judgement.applications_total += update.next->apps.size() - base->apps.size();
  }
  std::set<std::string> refused;
  for (const Verdict& verdict : verdicts) {
    if (verdict.effect == Effect::deny) refused.insert(verdict.application);
    judgement.verdicts.push_back({verdict, plan::source_lines(verdict, update, repository)});
  }
  judgement.accepted = judgement.accepted && !any_denied(verdicts);
  std::set<std::string> without_schema;
  for (const plan::Affected& affected : update.affected) {
    const AppId& id = affected.application.id;
    judgement.applications.push_back(
        {id, affected.how, changes_of(affected), !refused.contains(id.to_string())});
    ++judgement.judged;
    if (!parts_.clusters.schema(id.cluster)) without_schema.insert(id.cluster);
  }
  for (const std::string& cluster : without_schema) {
    judgement.notes.push_back("no schema of cluster " + cluster +
                              " was ever read: judged structure only");
  }
  return {};
}

Result<Judgement> Planner::judge_now(const config::RepositoryBinding& binding,
                                     const PushRequest& push,
                                     JudgedSoFar& so_far) {
  Judgement judgement;
  judgement.tracked = true;
  judgement.applications_total = applications_total();
  const auto repository = TRY(git::Repository::open(binding.path, push.object_dirs));
  for (const RefUpdate& ref : push.refs) {
    if (judgement.deadline_passed) break;
    if (deploys(binding, ref)) TRY(judge_ref(binding, *repository, ref, so_far, judgement));
  }
  return judgement;
}

Result<Judgement> Planner::judge(const config::RepositoryBinding& binding,
                                 const PushRequest& push) {
  bool tracked = false;
  for (const RefUpdate& ref : push.refs) tracked = tracked || deploys(binding, ref);
  if (!tracked) {
    Judgement nothing;
    nothing.applications_total = applications_total();
    return nothing;
  }
  // The hook waits no longer than its deadline: the answer must be there a moment before.
  const auto deadline =
      std::chrono::steady_clock::now() + binding.hooks_deadline * 9 / 10 - push.spent;
  const auto pending = std::make_shared<Pending>(deadline);
  std::jthread thread([this, pending, binding, push] {
    auto answer = judge_now(binding, push, pending->so_far);
    {
      const std::scoped_lock lock(pending->mutex);
      pending->answer = std::move(answer);
    }
    pending->changed.notify_all();
    *pending->over = true;
  });
  {
    std::unique_lock lock(pending->mutex);
    pending->changed.wait_until(lock, deadline, [&] { return pending->answer.has_value(); });
    if (pending->answer && !(*pending->answer && (*pending->answer)->deadline_passed))
      return *std::move(pending->answer);
  }
  // It ends by itself after the render that is under way.
  judging_.with([&](auto& threads) {
    std::erase_if(threads, [](const auto& judging) { return judging.first->load(); });
    threads.emplace_back(pending->over, std::move(thread));
  });
  return judged_late(binding, pending->so_far);
}

Judgement Planner::judged_late(const config::RepositoryBinding& binding,
                               const JudgedSoFar& so_far) const {
  Judgement late;
  late.tracked = true;
  late.applications_total = applications_total();
  late.deadline_passed = true;
  late.accepted = binding.on_deadline == config::WhenDown::accept;
  const auto count = so_far.count();
  late.judged = static_cast<int>(count.judged);
  for (const AppId& id : count.all) {
    const bool judged = late.applications.size() < count.judged;
    late.applications.push_back({id, plan::Affected::How::changed, {}, judged});
  }
  late.notes.push_back(std::to_string(count.judged) + " of " + std::to_string(count.all.size()) +
                       " applications were judged before the deadline of " +
                       std::to_string(binding.hooks_deadline.count() / 1000) +
                       " s (hooks.deadline in the server's file)");
  return late;
}

}  // namespace plumb::worker
