#include "core/log.h"
#include "drivers/git/repository.h"
#include "worker/planner.h"

namespace plumb::worker {
namespace {

std::string first_message(const std::vector<Verdict>& verdicts) {
  for (const Verdict& verdict : verdicts) {
    if (verdict.effect == Effect::deny) return verdict.place.to_string() + ": " + verdict.message;
  }
  return "";
}

}  // namespace

Result<> Planner::load_branch(const config::RepositoryBinding& binding, const std::string& ref) {
  const auto commit = TRY(parts_.ledger.store().read<std::optional<std::string>>(
      [&](sqlite::Connection& db) { return queue::planned_commit(db, binding.name, ref); }));
  if (!commit) return {};
  const auto repository = TRY(git::Repository::open(binding.path));
  std::vector<PlannedEvent::Render> renders;
  auto with = tools(*repository, &renders);
  const auto update =
      TRY(plan::plan_update(plan::RepoState(), *repository, *commit, binding, with));
  // What the database could not give is stored anew, for jobs that wait for it.
  TRY(parts_.ledger.keep_renders(renders));
  if (!update.next) return fail(Errc::invalid, first_message(update.verdicts));
  adopt({binding.name, ref}, update.next);
  remember_definitions(update);
  log::info("planner.loaded",
            {{"repository", binding.name},
             {"ref", ref},
             {"commit", *commit},
             {"applications", static_cast<std::int64_t>(update.next->apps.size())},
             {"rendered", update.rendered},
             {"from_cache", update.from_cache}});
  return {};
}

void Planner::load() {
  if (engine_version().empty()) {
    log::error(
        "engines.away",
        {{"message", std::string("plumb-engines does not start: Kustomize is not rendered")}});
  }
  for (const auto& binding : parts_.config.repositories) {
    for (const std::string& branch : binding.branches) {
      const auto loaded = load_branch(binding, "refs/heads/" + branch);
      if (loaded) continue;
      log::warn(
          "planner.not_loaded",
          {{"repository", binding.name}, {"branch", branch}, {"message", loaded.error().message}});
    }
  }
}

/// A stored plan that cannot be read any more is made again from its commit: its job, which is
/// tried again by itself, then finds it.
Result<> Planner::mend_plan(const Job& job) {
  const auto* binding = binding_of(job.repository);
  if (binding == nullptr) return fail(Errc::invalid, "repository is not in the server's file");
  const auto repository = TRY(git::Repository::open(binding->path));
  std::vector<PlannedEvent::Render> renders;
  auto with = tools(*repository, &renders);
  TRY(plan::plan_update(plan::RepoState(), *repository, job.commit, *binding, with));
  return parts_.ledger.keep_renders(renders);
}

void Planner::mend_plans() {
  for (const Job& job : parts_.ledger.take_unreadable()) {
    const auto mended = mend_plan(job);
    log::warn("plan.unreadable",
              {{"job", job.id},
               {"application", job.app.to_string()},
               {"message", mended ? std::string("made again") : mended.error().message}});
  }
}

}  // namespace plumb::worker
