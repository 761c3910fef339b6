#include "worker/planner.h"

#include <algorithm>
#include <set>

#include "core/log.h"
#include "core/oid.h"
#include "core/text.h"
#include "drivers/crypto/crypto.h"
#include "drivers/git/repository.h"
#include "plan/plan_store.h"

namespace plumb::worker {
namespace {

using namespace std::chrono_literals;

constexpr int kEventsAtOnce = 64;
constexpr int kRendersRemembered = 8;
constexpr std::size_t kUpdatesRemembered = 16;

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
  thread_.request_stop();
  changed_.notify_all();
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

std::optional<Refusal> Planner::refusal(const std::string& repository, const std::string& ref) const {
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

/// Everything but the tree that a render depends on.
std::string Planner::parameters_hash(const Application& app) {
  std::string text = engine_version_ + "\n" + app.path + "\n" + app.ns + "\n" + app.id.cluster + "\n";
  text += app.engine ? std::string(to_string(*app.engine)) : "auto";
  text += app.recurse ? "\nrecurse" : "\n";
  return crypto::sha256_hex(text);
}

plan::UpdateTools Planner::tools(git::Repository& repository) {
  return {parts_.engines,
          [this](const std::string& project) -> const plan::ProjectKey& { return parts_.keys.key_of(project); },
          [this](const std::string& cluster) { return parts_.clusters.scope_of(cluster); },
          [this, &repository](const Application& app, const std::string& tree) -> std::optional<plan::CachedPlan> {
            auto found = parts_.ledger.store().read<std::optional<plan::CachedPlan>>(
                [&](sqlite::Connection& db) -> Result<std::optional<plan::CachedPlan>> {
                  const auto hash = parameters_hash(app);
                  for (const auto& render : TRY(plan::remembered(db, app.id, hash, kRendersRemembered))) {
                    if (!TRY(plan::holds(render.closure, repository, tree))) continue;
                    auto plan = TRY(plan::load_plan(db, render.plan_digest, parts_.keys.key_of(app.id.project)));
                    return plan::CachedPlan{std::move(plan), render.closure};
                  }
                  return std::optional<plan::CachedPlan>();
                });
            if (!found) return std::nullopt;  // a swept plan: render again
            return *std::move(found);
          },
          {}};
}

/// The schema of a cluster with the CustomResourceDefinitions of the plans laid over it.
std::vector<Verdict> Planner::judge_update(const plan::Update& update) {
  std::map<std::string, std::map<std::string, std::string>> crds =
      crds_.with([](const auto& known) { return known; });
  std::set<std::string> overlaid;
  for (const auto& [cluster, known] : crds) overlaid.insert(cluster);
  for (const plan::Affected& affected : update.affected) {
    for (const Manifest& object : affected.plan.objects) {
      if (object.key.kind != "CustomResourceDefinition") continue;
      crds[affected.application.id.cluster][object.key.identity()] = object.json;
      overlaid.insert(affected.application.id.cluster);
    }
  }
  std::map<std::string, std::shared_ptr<const plan::ClusterSchema>> schemas;
  std::vector<Verdict> verdicts;
  for (const plan::Affected& affected : update.affected) {
    const std::string& cluster = affected.application.id.cluster;
    auto [at, fresh] = schemas.try_emplace(cluster, nullptr);
    if (fresh) {
      at->second = parts_.clusters.schema(cluster);
      if (at->second && overlaid.contains(cluster)) {
        std::vector<std::string> texts;
        for (const auto& [identity, text] : crds[cluster]) texts.push_back(text);
        at->second = at->second->with_crds(texts);
      }
    }
    if (!at->second) continue;
    auto found = judge_.judge(affected.plan.objects, affected.application.id.to_string(), at->second);
    verdicts.insert(verdicts.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
  }
  return verdicts;
}

/// Objects that an application of another branch or repository holds.
std::vector<Verdict> Planner::judge_ownership(const Branch& branch, const plan::Update& update) const {
  std::vector<Verdict> verdicts;
  const auto base = state(branch.first, branch.second);
  for (const plan::Affected& affected : update.affected) {
    const AppId& id = affected.application.id;
    for (const Manifest& object : affected.plan.objects) {
      const auto owner = parts_.claims.owner(id.cluster, object.key.identity());
      // Owners in the same branch were compared when the update was made.
      if (!owner || *owner == id || base->apps.contains(*owner)) continue;
      Verdict verdict;
      verdict.rule = "owner.conflict";
      verdict.application = id.to_string();
      verdict.object = object.key.title();
      verdict.place = object.place;
      verdict.message = object.key.title() + " on " + id.cluster + " belongs to " + owner->to_string();
      verdict.hint = "rename yours, or remove it from " + owner->to_string() + " first";
      verdicts.push_back(std::move(verdict));
    }
  }
  return verdicts;
}

Result<Planner::CachedUpdate> Planner::update_to(const config::RepositoryBinding& binding,
                                                 const std::string& ref,
                                                 git::Repository& repository,
                                                 const std::string& commit) {
  const Branch branch{binding.name, ref};
  const auto base = state(binding.name, ref);
  const auto known = recent_.with([&](const auto& recent) -> std::optional<CachedUpdate> {
    for (const CachedUpdate& cached : recent) {
      if (cached.branch == branch && cached.base == base->commit && cached.commit == commit) return cached;
    }
    return std::nullopt;
  });
  if (known) return *known;
  auto with = tools(repository);
  CachedUpdate made{branch, base->commit, commit, TRY(plan::plan_update(*base, repository, commit, binding, with)), {}};
  made.verdicts = made.update.verdicts;
  for (auto& more : {judge_update(made.update), judge_ownership(branch, made.update)}) {
    made.verdicts.insert(made.verdicts.end(), more.begin(), more.end());
  }
  plan::locate(made.verdicts, made.update, repository);
  recent_.with([&](auto& recent) {
    recent.push_back(made);
    if (recent.size() > kUpdatesRemembered) recent.erase(recent.begin());
  });
  return made;
}

// ---- the answer to a push ----

std::vector<plan::ObjectChange> Planner::changes_of(const plan::Affected& affected) {
  const auto before = parts_.ledger.store().read<std::vector<Manifest>>(
      [&](sqlite::Connection& db) -> Result<std::vector<Manifest>> {
        const auto row = TRY(queue::find_app(db, affected.application.id));
        const std::string digest = row && !row->applied_plan.empty() ? row->applied_plan : affected.old_digest;
        if (digest.empty()) return std::vector<Manifest>();
        return TRY(plan::load_plan(db, digest, parts_.keys.key_of(affected.application.id.project))).objects;
      });
  return plan::diff_objects(before ? *before : std::vector<Manifest>(), affected.plan.objects);
}

Result<> Planner::judge_ref(const config::RepositoryBinding& binding, git::Repository& repository,
                            const RefUpdate& ref, Judgement& judgement) {
  if (is_zero_oid(ref.new_oid)) {
    judgement.notes.push_back(std::string(branch_of(ref.ref)) +
                              " goes away: its applications stay as they are in their clusters");
    return {};
  }
  const auto update = TRY(update_to(binding, ref.ref, repository, ref.new_oid));
  judgement.commits += TRY(repository.count_commits(ref.old_oid, ref.new_oid, 1000));
  judgement.changed_files += update.update.changed_paths;
  judgement.changed_folder = update.update.changed_folder;
  judgement.rendered += update.update.rendered;
  std::set<std::string> refused;
  for (const Verdict& verdict : update.verdicts) {
    if (verdict.effect == Effect::deny) refused.insert(verdict.application);
    judgement.verdicts.push_back({verdict, plan::source_lines(verdict, update.update, repository)});
  }
  judgement.accepted = judgement.accepted && !any_denied(update.verdicts);
  std::set<std::string> without_schema;
  for (const plan::Affected& affected : update.update.affected) {
    const AppId& id = affected.application.id;
    judgement.applications.push_back(
        {id, affected.how, changes_of(affected), !refused.contains(id.to_string())});
    ++judgement.judged;
    if (!parts_.clusters.schema(id.cluster)) without_schema.insert(id.cluster);
  }
  for (const std::string& cluster : without_schema) {
    judgement.notes.push_back("no schema of cluster " + cluster + " was ever read: judged structure only");
  }
  return {};
}

Result<Judgement> Planner::judge(const config::RepositoryBinding& binding, const PushRequest& push) {
  Judgement judgement;
  const auto started = parts_.ledger.clock().steady();
  judgement.applications_total = applications_total();
  std::unique_ptr<git::Repository> repository;
  for (const RefUpdate& ref : push.refs) {
    if (!is_tracked(binding, ref.ref)) continue;
    judgement.tracked = true;
    if (!repository) repository = TRY(git::Repository::open(binding.path, push.object_dirs));
    TRY(judge_ref(binding, *repository, ref, judgement));
    if (parts_.ledger.clock().steady() - started > binding.hooks_deadline) {
      judgement.deadline_passed = true;
      judgement.accepted = judgement.accepted && binding.when_down == config::WhenDown::accept;
      break;
    }
  }
  return judgement;
}

// ---- planning what moved ----

void Planner::adopt(const Branch& branch, const plan::Update& update) {
  for (const plan::Affected& affected : update.affected) {
    const AppId& id = affected.application.id;
    if (affected.how == plan::Affected::How::removed) {
      parts_.claims.drop(id);
      continue;
    }
    std::vector<std::string> identities;
    for (const Manifest& object : affected.plan.objects) {
      identities.push_back(object.key.identity());
      if (object.key.kind != "CustomResourceDefinition") continue;
      crds_.with([&](auto& crds) { crds[id.cluster][object.key.identity()] = object.json; });
    }
    parts_.claims.set(id, identities);
  }
  states_.with([&](auto& states) { states[branch] = update.next; });
  refusals_.with([&](auto& refusals) { refusals.erase(branch); });
}

Result<> Planner::plan_ref(const queue::StoredEvent& event, const config::RepositoryBinding& binding,
                           const std::string& ref) {
  const auto repository = TRY(git::Repository::open(binding.path));
  const auto actual = TRY(repository->ref(ref));
  if (!actual) {
    return parts_.ledger.ignore_event(event, ref + " is not there: applications stay as they are");
  }
  const auto base = state(binding.name, ref);
  if (*actual == base->commit) return parts_.ledger.ignore_event(event, "already planned at " + short_oid(*actual));
  auto update = TRY(update_to(binding, ref, *repository, *actual));
  PlannedEvent planned;
  planned.event = event;
  planned.ref = ref;
  planned.old_commit = base->commit;
  planned.new_commit = *actual;
  planned.accept = !any_denied(update.verdicts);
  planned.note = planned.accept ? std::to_string(update.update.affected.size()) + " applications"
                                : first_reason(update.verdicts);
  planned.affected = update.update.affected;
  for (const plan::Affected& affected : planned.affected) {
    const auto app = update.update.next ? update.update.next->apps.find(affected.application.id)
                                        : std::map<AppId, std::shared_ptr<const plan::PlannedApp>>::const_iterator();
    const bool kept = update.update.next && app != update.update.next->apps.end();
    planned.renders.push_back({parameters_hash(affected.application), kept ? app->second->closure : Closure()});
  }
  const Branch branch{binding.name, ref};
  if (planned.accept) adopt(branch, update.update);  // before the jobs exist: they ask who owns what
  const auto jobs = parts_.ledger.record_plan(planned);
  if (!jobs) {
    if (planned.accept) states_.with([&](auto& states) { states[branch] = base; });
    return Failure(jobs.error());
  }
  log::info("event.planned", {{"event", event.id}, {"repository", binding.name}, {"ref", ref},
                              {"commit", *actual}, {"jobs", static_cast<std::int64_t>(jobs->size())},
                              {"rendered", update.update.rendered}, {"note", planned.note}});
  if (!planned.accept) {
    refusals_.with([&](auto& refusals) { refusals[branch] = {*actual, update.verdicts}; });
  }
  parts_.jobs_ready();
  return {};
}

Result<> Planner::plan_event(const queue::StoredEvent& event) {
  const auto* binding = binding_of(event.event.repository);
  if (binding == nullptr) {
    return parts_.ledger.ignore_event(event, "repository is not in the server's file");
  }
  std::vector<std::string> tracked;
  for (const RefUpdate& ref : event.event.refs) {
    if (is_tracked(*binding, ref.ref) && std::find(tracked.begin(), tracked.end(), ref.ref) == tracked.end()) {
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

Result<int> Planner::observe(const config::RepositoryBinding& binding, Trigger trigger, const Actor& actor,
                             const std::string& reason, const std::string& delivery_id) {
  const auto repository = TRY(git::Repository::open(binding.path));
  int found = 0;
  for (const std::string& branch : binding.branches) {
    const std::string ref = "refs/heads/" + branch;
    const auto actual = TRY(repository->ref(ref));
    const auto base = state(binding.name, ref)->commit;
    if (!actual || *actual == base) continue;
    const std::string zero(actual->size(), '0');
    Event event{binding.name, {{ref, base.empty() ? zero : base, *actual}}, trigger, delivery_id, actor, reason,
                parts_.ledger.clock().now()};
    if (event.delivery_id.empty()) event.delivery_id = "scan:" + ref + ":" + base + ":" + *actual;
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

void Planner::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, stop, 1000ms, [&] { return look_; });
      look_ = false;
    }
    const auto events = parts_.ledger.store().read<std::vector<queue::StoredEvent>>(
        [](sqlite::Connection& db) { return queue::unplanned(db, kEventsAtOnce); });
    if (!events) continue;
    for (const auto& event : *events) {
      if (stop.stop_requested()) return;
      const auto planned = plan_event(event);
      if (planned) continue;
      // Kept as received: tried again in a second (a repository that cannot be read, a full disk).
      log::warn("event.not_planned", {{"event", event.id}, {"message", planned.error().message}});
    }
    if (events->size() == kEventsAtOnce) wake();
  }
}

// ---- start ----

Result<> Planner::load_branch(const config::RepositoryBinding& binding, const std::string& ref) {
  const auto commit = TRY(parts_.ledger.store().read<std::optional<std::string>>(
      [&](sqlite::Connection& db) { return queue::planned_commit(db, binding.name, ref); }));
  if (!commit) return {};
  const auto repository = TRY(git::Repository::open(binding.path));
  auto with = tools(*repository);
  const auto update = TRY(plan::plan_update(plan::RepoState(), *repository, *commit, binding, with));
  if (!update.next) return fail(Errc::invalid, first_reason(update.verdicts));
  adopt({binding.name, ref}, update);
  return {};
}

void Planner::load() {
  const auto version = parts_.engines.version();
  if (version) engine_version_ = *version;
  if (!version) log::error("engines.away", {{"message", version.error().message}});
  for (const auto& binding : parts_.config.repositories) {
    for (const std::string& branch : binding.branches) {
      const auto loaded = load_branch(binding, "refs/heads/" + branch);
      if (!loaded) {
        log::warn("planner.not_loaded", {{"repository", binding.name}, {"branch", branch},
                                         {"message", loaded.error().message}});
      }
    }
  }
}

}  // namespace plumb::worker
