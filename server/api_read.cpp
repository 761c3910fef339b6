#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "core/oid.h"
#include "core/text.h"
#include "drivers/git/repository.h"
#include "drivers/json/fields.h"
#include "plan/plan_store.h"
#include "server/api.h"
#include "server/views.h"

namespace plumb::server {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

constexpr int kMaxRows = 1000;

int limit_of(const Json& params) {
  return static_cast<int>(
      std::clamp<std::int64_t>(json::number(params, "limit", 100), 1, kMaxRows));
}

/// A Secret with its values masked, everything else as it is.
Json shown_object(const Manifest& manifest) {
  Json object = Json::parse(manifest.json, nullptr, false);
  if (!manifest.tainted || !object.is_object()) return object;
  for (const char* part : {"data", "stringData"}) {
    if (!object.contains(part) || !object[part].is_object()) continue;
    for (auto& [key, value] : object[part].items()) value = "***";
  }
  // kubectl keeps a copy of all of it here.
  constexpr const char* kCopy = "kubectl.kubernetes.io/last-applied-configuration";
  const Json::json_pointer annotations("/metadata/annotations");
  if (object.contains(annotations) && object[annotations].is_object() &&
      object[annotations].contains(kCopy)) {
    object[annotations][kCopy] = "***";
  }
  return object;
}

/// Where a ref stands now; null when the repository cannot be read or has no such ref.
Json seen_at(const std::string& path, const std::string& ref) {
  const auto repository = git::Repository::open(path);
  if (!repository) return {};
  const auto oid = (*repository)->ref(ref);
  return oid && *oid ? Json(**oid) : Json();
}

bool has_hooks(const std::string& path) {
  for (const char* hook : {"pre-receive", "reference-transaction", "post-receive"}) {
    if (::access((path + "/hooks/" + hook).c_str(), X_OK) != 0) return false;
  }
  return true;
}

}  // namespace

void Api::add_reads() {
  const auto read = [this](const char* name, Answer (Api::*run)(Request&)) {
    methods_[name] = {false, [this, run](Request& request) { return (this->*run)(request); }};
  };
  methods_["version"] = {
      false, [this](Request&) -> Answer {
        return Json{{"version", PLUMB_VERSION}, {"schema", 1}, {"engines", parts_.engine_version}};
      }};
  read("status", &Api::status);
  read("apps", &Api::apps);
  read("app", &Api::app);
  read("why", &Api::why);
  read("wait", &Api::wait);
  read("diff", &Api::diff);
  read("render", &Api::render);
  read("history", &Api::history);
  read("jobs", &Api::jobs);
  read("logs", &Api::logs);
  read("clusters", &Api::clusters);
  read("repos", &Api::repos);
  read("events", &Api::events);
  read("audit_list", &Api::audit_list);
  read("audit_verify", &Api::audit_verify);
}

Result<std::vector<Job>> Api::jobs_of(const queue::JobFilter& filter) {
  return parts_.ledger.store().read<std::vector<Job>>(
      [&](sqlite::Connection& db) { return queue::jobs(db, filter); });
}

Result<std::optional<Job>> Api::latest_job(const AppId& app) {
  queue::JobFilter filter;
  filter.app = app;
  filter.limit = 1;
  auto latest = TRY(jobs_of(filter));
  if (latest.empty()) return std::optional<Job>();
  return std::optional<Job>(std::move(latest.front()));
}

Api::Answer Api::job_views(const std::vector<Job>& jobs) {
  return parts_.ledger.store().read<Json>([&](sqlite::Connection& db) -> Result<Json> {
    Json list = Json::array();
    for (const Job& job : jobs) {
      Json shown = view(job);
      const auto progress = parts_.hub.latest(job.id);
      if (job.state == JobState::running && progress) {
        shown["phase"] = progress->phase;
        shown["message"] = progress->message;
      }
      const auto stored = TRY(queue::find_event(db, job.event));
      if (stored) {
        const Actor& actor = stored->event.actor;
        shown["actor"] = actor.name.empty() ? actor.id : actor.name;
        shown["reason"] = stored->event.reason;
      }
      list.push_back(std::move(shown));
    }
    return list;
  });
}

Result<queue::AppRow> Api::named_app(Request& request) {
  return named_app(request, json::text(request.params, "application"));
}

Result<queue::AppRow> Api::named_app(Request& request, const std::string& wanted) {
  const auto rows = TRY(parts_.ledger.store().read<std::vector<queue::AppRow>>(queue::apps));
  std::vector<std::string> names;
  std::vector<const queue::AppRow*> matches;
  for (const auto& row : rows) {
    const AppId& id = row.application.id;
    names.push_back(id.to_string());
    names.push_back(id.name);
    if (id.to_string() == wanted) return row;
    if (id.name + "/" + id.environment == wanted || id.name == wanted) matches.push_back(&row);
  }
  if (matches.size() == 1) return *matches.front();
  std::string hint;
  if (!matches.empty()) {
    hint = "say which:";
    for (std::size_t i = 0; i < matches.size() && i < 5; ++i)
      hint += " " + matches[i]->application.id.to_string();
    return fail(Errc::invalid, "more than one application is called \"" + printable(wanted) + "\"",
                "", hint);
  }
  request.not_found = true;
  if (const auto near = nearest(wanted, names)) hint = "did you mean " + *near + " ?";
  if (hint.empty()) hint = "plumb apps   lists them";
  return fail(Errc::invalid, "unknown application \"" + printable(wanted) + "\"", "", hint);
}

Api::Answer Api::status(Request&) {
  const auto rows = TRY(parts_.ledger.store().read<std::vector<queue::AppRow>>(queue::apps));
  std::map<std::string, int> counts;
  Json needs = Json::array();
  for (const auto& row : rows) {
    const auto latest = TRY(latest_job(row.application.id));
    const Job* job = latest ? &*latest : nullptr;
    std::string state = row.health.empty() ? "unknown" : row.health;
    if (job != nullptr && (job->state == JobState::queued || job->state == JobState::running))
      state = "progressing";
    if (job != nullptr && job->state == JobState::waiting) state = "waiting";
    ++counts[state];
    if (state == "healthy" || state == "progressing") continue;
    needs.push_back({{"application", row.application.id.to_string()},
                     {"state", state},
                     {"message", sentence(row, job)},
                     {"next", next_step(row, job)}});
  }
  Json clusters = Json::array();
  for (const auto& status : parts_.clusters.statuses()) {
    clusters.push_back(
        {{"name", status.name}, {"reachable", status.reachable}, {"message", status.message}});
  }
  return Json{{"as_of", parts_.ledger.clock().now()},
              {"applications",
               {{"total", rows.size()},
                {"healthy", counts["healthy"]},
                {"progressing", counts["progressing"]},
                {"degraded", counts["degraded"]},
                {"waiting", counts["waiting"]},
                {"unknown", counts["unknown"]}}},
              {"clusters", std::move(clusters)},
              {"needs_you", std::move(needs)},
              {"renders", parts_.planner.renders()},
              {"http", parts_.http_address}};
}

Api::Answer Api::apps(Request&) {
  const auto rows = TRY(parts_.ledger.store().read<std::vector<queue::AppRow>>(queue::apps));
  Json list = Json::array();
  for (const auto& row : rows) {
    const auto latest = TRY(latest_job(row.application.id));
    list.push_back(view(row, latest ? &*latest : nullptr));
  }
  return Json{{"applications", std::move(list)}};
}

Api::Answer Api::app(Request& request) {
  const auto row = TRY(named_app(request));
  queue::JobFilter filter;
  filter.app = row.application.id;
  filter.limit = 10;
  const auto recent = TRY(jobs_of(filter));
  Json jobs = TRY(job_views(recent));
  const auto items = TRY(parts_.ledger.store().read<std::vector<apply::InventoryItem>>(
      [&](sqlite::Connection& db) { return apply::inventory(db, row.application.id); }));
  Json objects = Json::array();
  for (const auto& item : items) {
    const bool applied = item.state == apply::InventoryItem::State::applied;
    objects.push_back({{"title", item.key.title()},
                       {"identity", item.key.identity()},
                       {"state", applied ? "applied" : "intended"},
                       {"hash", item.hash}});
  }
  return Json{{"application", view(row, recent.empty() ? nullptr : &recent.front())},
              {"jobs", std::move(jobs)},
              {"objects", std::move(objects)}};
}

Api::Answer Api::why(Request& request) {
  const auto row = TRY(named_app(request));
  const auto latest = TRY(latest_job(row.application.id));
  const Job* job = latest ? &*latest : nullptr;
  return Json{{"application", row.application.id.to_string()},
              {"sentence", sentence(row, job)},
              {"next", next_step(row, job)}};
}

Api::Answer Api::diff(Request& request) {
  const auto row = TRY(named_app(request));
  const auto& key = parts_.keys.key_of(row.application.id.project);
  using Plans = std::pair<Plan, Plan>;
  const auto load = [&](sqlite::Connection& db) -> Result<Plans> {
    Plans both;
    if (!row.applied_plan.empty()) both.first = TRY(plan::load_plan(db, row.applied_plan, key));
    both.second = TRY(plan::load_plan(db, row.wanted_plan, key));
    return both;
  };
  const auto plans = TRY(parts_.ledger.store().read<Plans>(load));
  Json changes = Json::array();
  std::size_t touched = 0;
  for (const auto& change : plan::diff_objects(plans.first.objects, plans.second.objects)) {
    if (change.op != plan::ObjectChange::Op::remove) ++touched;
    changes.push_back(view(change));
  }
  return Json{{"application", row.application.id.to_string()},
              {"from", row.applied_commit},
              {"to", row.wanted_commit},
              {"plan", row.wanted_plan},
              {"changes", std::move(changes)},
              {"unchanged", plans.second.objects.size() - touched}};
}

Api::Answer Api::render(Request& request) {
  const auto row = TRY(named_app(request));
  const auto plan = TRY(parts_.ledger.store().read<Plan>([&](sqlite::Connection& db) {
    return plan::load_plan(db, row.wanted_plan, parts_.keys.key_of(row.application.id.project));
  }));
  Json objects = Json::array();
  for (const Manifest& manifest : plan.objects) objects.push_back(shown_object(manifest).dump());
  return Json{{"application", row.application.id.to_string()},
              {"commit", row.wanted_commit},
              {"objects", std::move(objects)}};
}

Api::Answer Api::history(Request& request) {
  const auto row = TRY(named_app(request));
  queue::JobFilter filter;
  filter.app = row.application.id;
  filter.limit = limit_of(request.params);
  const auto found = TRY(jobs_of(filter));
  auto views = TRY(job_views(found));
  return Json{{"rollouts", std::move(views)}};
}

Api::Answer Api::jobs(Request& request) {
  queue::JobFilter filter;
  filter.limit = limit_of(request.params);
  if (!json::text(request.params, "application").empty())
    filter.app = TRY(named_app(request)).application.id;
  if (const auto state = json::text(request.params, "state"); !state.empty())
    filter.state = TRY(parse_job_state(state));
  const auto found = TRY(jobs_of(filter));
  auto views = TRY(job_views(found));
  return Json{{"jobs", std::move(views)}};
}

Api::Answer Api::logs(Request& request) {
  JobId job = json::number(request.params, "job");
  if (job == 0) {
    const auto row = TRY(named_app(request));
    const auto latest = TRY(latest_job(row.application.id));
    if (!latest) return Json{{"lines", Json::array()}};
    job = latest->id;
  }
  const auto lines = TRY(parts_.ledger.store().read<std::vector<queue::LogLine>>(
      [&](sqlite::Connection& db) { return queue::log_lines(db, job); }));
  Json list = Json::array();
  for (const auto& line : lines) list.push_back({{"at", line.at}, {"line", line.line}});
  return Json{{"job", job}, {"lines", std::move(list)}};
}

Api::Answer Api::clusters(Request&) {
  Json list = Json::array();
  const UnixMillis now = parts_.ledger.clock().now();
  for (const auto& status : parts_.clusters.statuses()) {
    list.push_back({{"name", status.name},
                    {"reachable", status.reachable},
                    {"version", status.version},
                    {"uid", status.uid},
                    {"message", status.message},
                    {"schema_age_ms",
                     status.schema_read_at == 0 ? Json() : Json(now - status.schema_read_at)}});
  }
  return Json{{"clusters", std::move(list)}};
}

Api::Answer Api::repos(Request&) {
  Json list = Json::array();
  for (const auto& binding : parts_.config.repositories) {
    Json refs = Json::array();
    std::size_t applications = 0;
    for (const std::string& branch : binding.branches) {
      const std::string ref = "refs/heads/" + branch;
      const auto state = parts_.planner.state(binding.name, ref);
      const auto refusal = parts_.planner.refusal(binding.name, ref);
      applications += state->apps.size();
      refs.push_back({{"ref", ref},
                      {"seen", seen_at(binding.path, ref)},
                      {"planned", state->commit.empty() ? Json() : Json(state->commit)},
                      {"refused", refusal ? Json(refusal->commit) : Json()}});
    }
    list.push_back(
        {{"name", binding.name},
         {"path", binding.path},
         {"project", binding.project},
         {"branches", binding.branches},
         {"clusters", binding.clusters},
         {"hooks",
          {{"installed", has_hooks(binding.path)},
           {"when_down", binding.when_down == config::WhenDown::refuse ? "refuse" : "accept"},
           {"deadline_ms", binding.hooks_deadline.count()},
           {"wait_ms", binding.hooks_wait.count()}}},
         {"refs", std::move(refs)},
         {"applications", applications}});
  }
  return Json{{"repositories", std::move(list)}};
}

Api::Answer Api::events(Request& request) {
  const std::string repository = json::text(request.params, "repository");
  const auto stored =
      TRY(parts_.ledger.store().read<std::vector<queue::StoredEvent>>([&](sqlite::Connection& db) {
        return queue::events(db, repository, limit_of(request.params));
      }));
  Json list = Json::array();
  for (const auto& event : stored) list.push_back(view(event));
  return Json{{"events", std::move(list)}};
}

Api::Answer Api::audit_list(Request& request) {
  const Json& params = request.params;
  audit::Filter filter;
  filter.application = json::text(params, "application");
  filter.repository = json::text(params, "repository");
  filter.commit = json::text(params, "commit");
  filter.verb = json::text(params, "verb");
  filter.actor = json::text(params, "actor");
  filter.since = json::number(params, "since");
  filter.until = json::number(params, "until");
  filter.after_sequence = json::number(params, "after_sequence");
  filter.limit = limit_of(params);
  const auto rows = TRY(parts_.ledger.store().read<std::vector<audit::Row>>(
      [&](sqlite::Connection& db) { return audit::list(db, filter); }));
  Json list = Json::array();
  for (const auto& row : rows) {
    list.push_back({{"sequence", row.sequence},
                    {"at", row.at},
                    {"actor", row.actor_name},
                    {"chain", row.chain},
                    {"leaf", Json::parse(row.leaf, nullptr, false)}});
  }
  return Json{{"rows", std::move(list)}};
}

Api::Answer Api::audit_verify(Request& request) {
  std::optional<std::pair<std::int64_t, std::string>> expected;
  const std::string head = json::text(request.params, "head");
  if (!head.empty()) expected = {json::number(request.params, "sequence"), head};
  const auto verified = TRY(parts_.ledger.store().read<audit::Verified>(
      [&](sqlite::Connection& db) { return audit::verify(db, expected); }));
  return Json{{"leaves", verified.leaves},
              {"head", verified.head},
              {"ok", verified.problem.empty()},
              {"bad_sequence", verified.bad_sequence},
              {"problem", verified.problem}};
}

}  // namespace plumb::server
