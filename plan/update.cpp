#include "plan/update.h"

#include <algorithm>
#include <set>
#include <utility>

#include "plan/discover.h"
#include "plan/rights.h"

namespace plumb::plan {
namespace {

/// True if both render to the same objects in the same tree.
bool same_render(const Application& a, const Application& b) {
  return a.path == b.path && a.engine == b.engine && a.recurse == b.recurse && a.ns == b.ns;
}

/// True if a cluster is brought to its objects in the same way, and people see the same source.
bool same_rules(const Application& a, const Application& b) {
  return a.path == b.path && a.sync == b.sync && a.prune == b.prune && a.on_delete == b.on_delete &&
         a.health_timeout == b.health_timeout && a.repository == b.repository;
}

std::string common_folder(const std::vector<git::TreeChange>& changes) {
  if (changes.empty()) return "";
  std::string folder = changes.front().path;
  const auto up = [&] {
    const auto slash = folder.rfind('/');
    folder.resize(slash == std::string::npos ? 0 : slash);
  };
  up();
  for (const git::TreeChange& change : changes) {
    while (!folder.empty() && !change.path.starts_with(folder + "/")) up();
  }
  return folder;
}

class Updater {
 public:
  Updater(const RepoState& base,
          git::Repository& repository,
          const config::RepositoryBinding& binding,
          UpdateTools& tools)
      : base_(base),
        repository_(repository),
        binding_(binding),
        tools_(tools),
        next_(std::make_shared<RepoState>()) {}

  Result<Update> to(const std::string& commit) {
    next_->commit = commit;
    next_->tree = TRY(repository_.commit(commit)).tree;
    update_.tree = next_->tree;
    RepoState::Touched touched = TRY(take_difference());
    next_->discovery = base_.discovery;
    next_->apps = base_.apps;
    std::vector<Application> declared;
    if (touched.discovery || !base_.discovery) {
      declared = TRY(discover_again());
      if (any_denied(update_.verdicts)) return std::move(update_);
    } else {
      for (const AppId& id : touched.apps) declared.push_back(base_.apps.at(id)->application);
    }
    const std::set<AppId> broken(touched.apps.begin(), touched.apps.end());
    std::vector<Application> work;
    for (const Application& app : declared) {
      if (must_plan(app, broken.contains(app.id))) work.push_back(app);
    }
    for (std::size_t i = 0; i < work.size(); ++i) {
      update_.stopped = tools_.go_on && !tools_.go_on(i, work);
      if (update_.stopped) return std::move(update_);
      TRY(plan(work[i]));
    }
    for (const Application& app : work) TRY(plan_again(app));
    finish();
    return std::move(update_);
  }

 private:
  Result<RepoState::Touched> take_difference() {
    RepoState::Touched touched;
    if (base_.tree == next_->tree) return touched;
    const std::string none(next_->tree.size(), '0');
    auto changes = repository_.diff(base_.tree.empty() ? none : base_.tree, next_->tree);
    if (!changes)
      return Failure(std::move(changes).error().during("compare with what was planned"));
    update_.changed_paths = changes->size();
    update_.changed_folder = common_folder(*changes);
    return TRY(base_.touched_by(*changes, repository_, next_->tree));
  }

  /// What is declared now. Those that are not declared any more leave `next_`.
  Result<std::vector<Application>> discover_again() {
    TreeSource source(repository_, next_->tree);
    Discovered found = TRY(discover(source, binding_));
    next_->discovery = std::make_shared<const Closure>(std::move(found.closure));
    update_.verdicts = std::move(found.verdicts);
    if (any_denied(update_.verdicts)) return std::vector<Application>();
    std::set<AppId> declared;
    for (const Application& app : found.applications) declared.insert(app.id);
    for (const auto& [id, planned] : base_.apps) {
      if (declared.contains(id)) continue;
      next_->apps.erase(id);
      Affected affected{Affected::How::removed, planned->application, planned->plan_digest, {}, {}};
      affected.plan.application = planned->application;
      affected.plan.commit = next_->commit;
      affected.plan.digest = plan_digest(planned->application, {});
      affected.plan.remove_application = true;
      update_.affected.push_back(std::move(affected));
    }
    return std::move(found.applications);
  }

  [[nodiscard]] const PlannedApp* planned_before(const AppId& id) const {
    const auto before = base_.apps.find(id);
    return before == base_.apps.end() ? nullptr : before->second.get();
  }

  bool must_plan(const Application& app, bool touched) {
    const PlannedApp* old = planned_before(app.id);
    if (!old || touched || !same_render(old->application, app) ||
        !same_rules(old->application, app))
      return true;
    if (old->application.declared_at == app.declared_at) return false;
    PlannedApp moved = *old;  // the document has other lines now
    moved.application = app;
    next_->apps[app.id] = std::make_shared<const PlannedApp>(std::move(moved));
    return false;
  }

  Result<> plan(const Application& app) {
    const PlannedApp* old = planned_before(app.id);
    auto made = TRY(look_up_or_render(app));
    if (!made) return {};  // verdicts say why
    auto denied = judge_objects(app, made->plan.objects, binding_);
    std::move(denied.begin(), denied.end(), std::back_inserter(update_.verdicts));
    PlannedApp planned{app, made->closure, made->plan.digest, {}};
    for (const Manifest& object : made->plan.objects) {
      planned.identities.push_back(object.key.identity());
      if (const auto scope = defined_scope(object))
        defined_[app.id.cluster][scope->name] = scope->namespaced;
    }
    next_->apps[app.id] = std::make_shared<const PlannedApp>(std::move(planned));
    if (old && old->plan_digest == made->plan.digest && same_rules(old->application, app))
      return {};
    update_.affected.push_back({old ? Affected::How::changed : Affected::How::added, app,
                                old ? old->plan_digest : "", std::move(made->plan),
                                std::move(made->closure)});
    return {};
  }

  /// A kind whose scope was guessed may be defined by an application that was planned after it.
  Result<> plan_again(const Application& app) {
    const auto guessed = guessed_.find(app.id);
    if (guessed == guessed_.end()) return {};
    const auto& defined = defined_[app.id.cluster];
    const bool known = std::any_of(guessed->second.begin(), guessed->second.end(),
                                   [&](const std::string& name) { return defined.contains(name); });
    if (!known) return {};
    guessed_.erase(guessed);
    std::erase_if(update_.affected, [&](const Affected& a) { return a.application.id == app.id; });
    const std::string name = app.id.to_string();
    std::erase_if(update_.verdicts, [&](const Verdict& v) { return v.application == name; });
    return plan(app);
  }

  IsNamespaced scope_of(const std::string& cluster) {
    return [known = tools_.scope_of(cluster), &defined = defined_[cluster]](
               std::string_view api_version, std::string_view kind) -> std::optional<bool> {
      if (const auto scope = known(api_version, kind)) return scope;
      const auto found = defined.find(scope_name(api_version, kind));
      if (found == defined.end()) return std::nullopt;
      return found->second;
    };
  }

  Result<std::optional<CachedPlan>> look_up_or_render(const Application& app) {
    if (tools_.look_up) {
      if (auto known = tools_.look_up(app, next_->tree)) {
        known->plan.application = app;  // rules that no object depends on may have changed
        known->plan.commit = next_->commit;
        known->plan.digest = plan_digest(app, known->plan.objects);
        ++update_.from_cache;
        return known;
      }
    }
    TreeSource source(repository_, next_->tree);
    auto rendered = render(app, source, tools_.engines, tools_.key_of(app.id.project),
                           scope_of(app.id.cluster));
    if (!rendered)
      return Failure(std::move(rendered).error().during("render '" + app.id.to_string() + "'"));
    ++update_.rendered;
    const bool guessed = !rendered->guessed.empty();
    if (guessed) guessed_[app.id] = std::move(rendered->guessed);
    const bool denied = any_denied(rendered->verdicts);
    std::move(rendered->verdicts.begin(), rendered->verdicts.end(),
              std::back_inserter(update_.verdicts));
    if (denied) return std::optional<CachedPlan>();
    CachedPlan made;
    made.plan.application = app;
    made.plan.commit = next_->commit;
    made.plan.objects = std::move(rendered->objects);
    made.plan.digest = plan_digest(app, made.plan.objects);
    made.closure = std::move(rendered->closure);
    if (tools_.keep && !guessed) tools_.keep(made.plan, made.closure);
    return std::optional<CachedPlan>(std::move(made));
  }

  /// One object, one owner. Only what was planned anew can have come into conflict.
  void judge_owners() {
    std::set<AppId> planned;
    for (const Affected& affected : update_.affected) planned.insert(affected.application.id);
    for (const Affected& affected : update_.affected) {
      const AppId& id = affected.application.id;
      for (const Manifest& object : affected.plan.objects) {
        const auto owner = next_->owner(id.cluster, object.key.identity(), id);
        if (!owner || (planned.contains(*owner) && *owner > id)) continue;  // said once of a pair
        update_.verdicts.push_back(owner_conflict(id, object, *owner));
      }
    }
  }

  void finish() {
    std::sort(
        update_.affected.begin(), update_.affected.end(),
        [](const Affected& a, const Affected& b) { return a.application.id < b.application.id; });
    update_.guessed = !guessed_.empty();
    next_->reindex(base_);
    judge_owners();
    if (!any_denied(update_.verdicts)) update_.next = std::move(next_);
  }

  const RepoState& base_;
  git::Repository& repository_;
  const config::RepositoryBinding& binding_;
  UpdateTools& tools_;
  std::shared_ptr<RepoState> next_;
  Update update_;
  std::map<std::string, std::map<std::string, bool>> defined_;  // cluster → scope_name → namespaced
  std::map<AppId, std::set<std::string>> guessed_;              // whose render guessed these kinds
};

}  // namespace

std::string_view to_string(Affected::How how) noexcept {
  switch (how) {
    case Affected::How::added: return "added";
    case Affected::How::changed: return "changed";
    case Affected::How::removed: return "removed";
  }
  return "changed";
}

Verdict owner_conflict(const AppId& claimer, const Manifest& object, const AppId& owner) {
  Verdict verdict;
  verdict.rule = "owner.conflict";
  verdict.application = claimer.to_string();
  verdict.object = object.key.title();
  verdict.place = object.place;
  verdict.message =
      object.key.title() + " on " + claimer.cluster + " belongs to " + owner.to_string();
  verdict.hint = "rename yours, or remove it from " + owner.to_string() + " first";
  return verdict;
}

Result<Update> plan_update(const RepoState& base,
                           git::Repository& repository,
                           const std::string& commit,
                           const config::RepositoryBinding& binding,
                           UpdateTools& tools) {
  return Updater(base, repository, binding, tools).to(commit);
}

}  // namespace plumb::plan
