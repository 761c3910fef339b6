#include <algorithm>
#include <set>

#include "core/log.h"
#include "core/oid.h"
#include "drivers/crypto/crypto.h"
#include "plan/plan_store.h"
#include "worker/planner.h"

namespace plumb::worker {
namespace {

constexpr int kRendersRemembered = 8;
constexpr std::size_t kUpdatesRemembered = 16;
constexpr std::string_view kDefinition = "CustomResourceDefinition";

plan::Affected removal(const Application& app,
                       const std::string& digest,
                       const std::string& commit) {
  plan::Affected affected;
  affected.how = plan::Affected::How::removed;
  affected.application = app;
  affected.old_digest = digest;
  affected.plan.digest = plan::plan_digest(app, {});
  affected.plan.application = app;
  affected.plan.commit = commit;
  affected.plan.remove_application = true;
  return affected;
}

/// Is it applied in the same way?
bool same_rules(const Application& a, const Application& b) {
  return a.path == b.path && a.engine == b.engine && a.recurse == b.recurse && a.ns == b.ns &&
         a.sync == b.sync && a.prune == b.prune && a.on_delete == b.on_delete &&
         a.health_timeout == b.health_timeout;
}

}  // namespace

std::string Planner::engine_version() {
  return engine_version_.with([&](std::string& version) {
    if (version.empty()) {
      const auto asked = parts_.engines.version();
      if (asked) version = *asked;
    }
    return version;
  });
}

/// Everything but the tree that a render depends on.
std::string Planner::parameters_hash(const Application& app) {
  std::string text =
      engine_version() + "\n" + app.path + "\n" + app.ns + "\n" + app.id.cluster + "\n";
  text += app.engine ? std::string(to_string(*app.engine)) : "auto";
  text += app.recurse ? "\nrecurse" : "\n";
  return crypto::sha256_hex(text);
}

std::optional<plan::CachedPlan> Planner::look_up(const Application& app,
                                                 git::Repository& repository,
                                                 const std::string& tree) {
  using Found = std::optional<plan::CachedPlan>;
  const std::string hash = parameters_hash(app);
  auto found = parts_.ledger.store().read<Found>([&](sqlite::Connection& db) -> Result<Found> {
    for (const auto& render : TRY(plan::remembered(db, app.id, hash, kRendersRemembered))) {
      if (!TRY(plan::holds(render.closure, repository, tree))) continue;
      auto plan = TRY(plan::load_plan(db, render.plan_digest, parts_.keys.key_of(app.id.project)));
      return plan::CachedPlan{std::move(plan), render.closure};
    }
    return Found();
  });
  if (!found) return std::nullopt;  // a plan that was swept: render again
  return *std::move(found);
}

void Planner::remember_definitions(const plan::Update& update) {
  for (const plan::Affected& affected : update.affected) {
    const std::string& cluster = affected.application.id.cluster;
    for (const Manifest& object : affected.plan.objects) {
      if (object.key.kind != kDefinition) continue;
      crds_.with([&](auto& crds) { crds[cluster][object.key.identity()] = object.json; });
      const auto scope = plan::defined_scope(object);
      if (scope)
        scopes_.with([&](auto& scopes) { scopes[cluster][scope->name] = scope->namespaced; });
    }
  }
}

/// The cluster's word, else that of the definitions which were planned for it.
plan::IsNamespaced Planner::scope_of(const std::string& cluster) const {
  return [this, cluster, known = parts_.clusters.scope_of(cluster)](
             std::string_view api_version, std::string_view kind) -> std::optional<bool> {
    if (const auto scope = known(api_version, kind)) return scope;
    return scopes_.with([&](const auto& scopes) -> std::optional<bool> {
      const auto of_cluster = scopes.find(cluster);
      if (of_cluster == scopes.end()) return std::nullopt;
      const auto found = of_cluster->second.find(plan::scope_name(api_version, kind));
      if (found == of_cluster->second.end()) return std::nullopt;
      return found->second;
    });
  };
}

plan::UpdateTools Planner::tools(git::Repository& repository,
                                 std::vector<PlannedEvent::Render>* renders) {
  return {parts_.engines,
          [this](const std::string& project) -> const plan::ProjectKey& {
            return parts_.keys.key_of(project);
          },
          [this](const std::string& cluster) { return scope_of(cluster); },
          [this, &repository](const Application& app, const std::string& tree) {
            return look_up(app, repository, tree);
          },
          [this, renders](const Plan& plan, const Closure& closure) {
            ++renders_;
            if (renders != nullptr)
              renders->push_back({plan, closure, parameters_hash(plan.application)});
          }};
}

/// The schema of a cluster, with the definitions of this update and of earlier plans laid over it:
/// the cluster may not serve them yet.
std::shared_ptr<const plan::ClusterSchema> Planner::schema_for(const std::string& cluster,
                                                               const plan::Update& update) {
  const auto schema = parts_.clusters.schema(cluster);
  if (!schema) return nullptr;
  std::map<std::string, std::string> definitions = crds_.with([&](const auto& known) {
    const auto found = known.find(cluster);
    return found == known.end() ? std::map<std::string, std::string>() : found->second;
  });
  for (const plan::Affected& affected : update.affected) {
    if (affected.application.id.cluster != cluster) continue;
    for (const Manifest& object : affected.plan.objects) {
      if (object.key.kind == kDefinition) definitions[object.key.identity()] = object.json;
    }
  }
  std::vector<std::string> texts;
  for (auto& [identity, text] : definitions) texts.push_back(std::move(text));
  return judge_.overlaid(schema, texts);
}

std::vector<Verdict> Planner::judge_update(const plan::Update& update) {
  std::map<std::string, std::shared_ptr<const plan::ClusterSchema>> schemas;
  std::vector<Verdict> verdicts;
  for (const plan::Affected& affected : update.affected) {
    const AppId& id = affected.application.id;
    const auto [at, fresh] = schemas.try_emplace(id.cluster, nullptr);
    if (fresh) at->second = schema_for(id.cluster, update);
    if (!at->second) continue;
    auto found = judge_.judge(affected.plan.objects, id.to_string(), at->second);
    std::move(found.begin(), found.end(), std::back_inserter(verdicts));
  }
  return verdicts;
}

/// Objects that an application of another branch or repository holds. Owners in the same branch
/// were compared when the update was made.
std::vector<Verdict> Planner::judge_ownership(const Branch& branch,
                                              const plan::Update& update) const {
  std::vector<Verdict> verdicts;
  const auto base = state(branch.first, branch.second);
  for (const plan::Affected& affected : update.affected) {
    const AppId& id = affected.application.id;
    for (const Manifest& object : affected.plan.objects) {
      const auto owner = parts_.claims.owner(id.cluster, object.key.identity());
      if (!owner || *owner == id || base->apps.contains(*owner)) continue;
      verdicts.push_back(plan::owner_conflict(id, object, *owner));
    }
  }
  return verdicts;
}

/// The plan of what Git had: of the held commit where the application was rolled back, so that it
/// stays there as long as Git says the same.
Result<std::string> Planner::digest_in_git(const queue::AppRow& row) {
  if (row.held_commit.empty()) return row.wanted_plan;
  queue::JobFilter filter;
  filter.app = row.application.id;
  filter.commit = row.held_commit;
  const auto jobs = TRY(parts_.ledger.store().read<std::vector<Job>>(
      [&](sqlite::Connection& db) { return queue::jobs(db, filter); }));
  for (const Job& job : jobs) {
    if (job.kind == JobKind::sync) return job.plan_digest;
  }
  return row.wanted_plan;
}

/// The applications that the branch had: by its state, or by the database where there is none.
Result<std::map<AppId, Planner::Known>> Planner::known_apps(const Branch& branch,
                                                            const plan::RepoState& base) {
  std::map<AppId, Known> known;
  if (!base.commit.empty()) {
    for (const auto& [id, app] : base.apps) known[id] = {app->application, app->plan_digest};
    return known;
  }
  const auto rows = TRY(parts_.ledger.store().read<std::vector<queue::AppRow>>(queue::apps));
  for (const queue::AppRow& row : rows) {
    if (row.application.repository != branch.first || row.ref != branch.second || row.removed)
      continue;
    auto digest = TRY(digest_in_git(row));
    known[row.application.id] = {row.application, std::move(digest)};
  }
  return known;
}

/// The difference to `base`, or, where its tree is gone (a forced push and a gc) or was never read
/// (a repository that was away when plumbd started), to what is known of its applications.
Result<Planner::CachedUpdate> Planner::make_update(const config::RepositoryBinding& binding,
                                                   const Branch& branch,
                                                   const plan::RepoState& base,
                                                   git::Repository& repository,
                                                   const std::string& commit,
                                                   const plan::GoOn& go_on) {
  CachedUpdate made{branch, base.commit, commit, {}, {}, {}};
  auto with = tools(repository, &made.renders);
  with.go_on = go_on;
  const bool whole = base.commit.empty() || !repository.contains(base.commit).value_or(false);
  if (!whole) {
    made.update = TRY(plan::plan_update(base, repository, commit, binding, with));
    return made;
  }
  made.update = TRY(plan::plan_update(plan::RepoState(), repository, commit, binding, with));
  if (!made.update.next) return made;
  const auto known = TRY(known_apps(branch, base));
  for (plan::Affected& affected : made.update.affected) {
    const auto before = known.find(affected.application.id);
    if (before == known.end()) continue;
    affected.how = plan::Affected::How::changed;
    affected.old_digest = before->second.digest;
  }
  std::erase_if(made.update.affected, [&](const plan::Affected& a) {
    const auto before = known.find(a.application.id);
    return before != known.end() && before->second.digest == a.plan.digest &&
           same_rules(before->second.application, a.application);
  });
  for (const auto& [id, app] : known) {
    if (made.update.next->apps.contains(id)) continue;
    made.update.affected.push_back(removal(app.application, app.digest, commit));
  }
  return made;
}

Result<Planner::CachedUpdate> Planner::update_to(const config::RepositoryBinding& binding,
                                                 const std::string& ref,
                                                 git::Repository& repository,
                                                 const std::string& commit,
                                                 const plan::GoOn& go_on) {
  const Branch branch{binding.name, ref};
  const auto base = state(binding.name, ref);
  auto known = recent_.with([&](const auto& recent) -> std::optional<CachedUpdate> {
    for (const CachedUpdate& cached : recent) {
      if (cached.branch == branch && cached.base == base->commit && cached.commit == commit)
        return cached;
    }
    return std::nullopt;
  });
  if (known) {
    known->update.rendered = known->update.from_cache = 0;  // nothing runs this time
    return *std::move(known);
  }
  CachedUpdate made = TRY(make_update(binding, branch, *base, repository, commit, go_on));
  if (made.update.stopped) return made;
  made.verdicts = made.update.verdicts;
  auto more = judge_update(made.update);
  std::move(more.begin(), more.end(), std::back_inserter(made.verdicts));
  plan::locate(made.verdicts, made.update, repository);
  if (made.update.guessed) return made;
  recent_.with([&](auto& recent) {
    recent.push_back(made);
    if (recent.size() > kUpdatesRemembered) recent.erase(recent.begin());
  });
  return made;
}

}  // namespace plumb::worker
