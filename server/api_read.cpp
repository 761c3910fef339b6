#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

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
  return static_cast<int>(std::clamp<std::int64_t>(json::number(params, "limit", 100), 1, kMaxRows));
}

bool is_final(JobState state) {
  return state != JobState::queued && state != JobState::running;
}

/// A Secret with its values masked, everything else as it is.
Json shown_object(const Manifest& manifest) {
  Json object = Json::parse(manifest.json, nullptr, false);
  if (!manifest.tainted || !object.is_object()) return object;
  for (const char* part : {"data", "stringData"}) {
    if (!object.contains(part) || !object[part].is_object()) continue;
    for (auto& [key, value] : object[part].items()) value = "***";
  }
  return object;
}

}  // namespace

void Api::add_reads() {
  const auto read = [this](const char* name, Answer (Api::*run)(Request&)) {
    methods_[name] = {false, [this, run](Request& request) { return (this->*run)(request); }};
  };
  methods_["version"] = {false, [this](Request&) -> Answer {
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

Result<queue::AppRow> Api::named_app(const Json& params) {
  const std::string wanted = json::text(params, "application");
  const auto rows = TRY(parts_.ledger.store().read<std::vector<queue::AppRow>>(queue::apps));
  std::vector<std::string> names;
  std::vector<const queue::AppRow*> matches;
  for (const auto& row : rows) {
    const AppId& id = row.application.id;
    names.push_back(id.to_string());
    if (id.to_string() == wanted) return row;
    if (id.name + "/" + id.environment == wanted || id.name == wanted) matches.push_back(&row);
  }
  if (matches.size() == 1) return *matches.front();
  std::string hint;
  if (!matches.empty()) {
    hint = "say which:";
    for (std::size_t i = 0; i < matches.size() && i < 5; ++i) hint += " " + matches[i]->application.id.to_string();
    return fail(Errc::invalid, "more than one application is called \"" + printable(wanted) + "\"", "", hint);
  }
  if (const auto near = nearest(wanted, names)) hint = "did you mean " + *near + " ?";
  if (hint.empty()) hint = "plumb apps   lists them";
  return fail(Errc::invalid, "unknown application \"" + printable(wanted) + "\"", "", hint);
}

/// One sentence: why is it as it is?
std::string Api::sentence(const queue::AppRow& row, const Job* job) {
  const std::string name = row.application.id.to_string();
  const auto refusal = parts_.planner.refusal(row.application.repository, row.ref);
  if (row.suspended) {
    return name + " is suspended" + (row.suspended_because.empty() ? "" : ": " + row.suspended_because);
  }
  if (!row.held_commit.empty() && (job == nullptr || is_final(job->state))) {
    return name + " was rolled back to " + short_oid(row.applied_commit) + "; " + short_oid(row.held_commit) +
           " is held until a new commit changes it";
  }
  if (job != nullptr) {
    switch (job->state) {
      case JobState::waiting: return name + " waits: " + job->message;
      case JobState::queued:
        return name + " is queued" + (job->message.empty() ? "" : " to be tried again: " + job->message);
      case JobState::running: {
        const auto progress = parts_.hub.latest(job->id);
        return name + " is being applied at " + short_oid(job->commit) +
               (progress && !progress->message.empty() ? ": " + progress->message : "");
      }
      case JobState::failed:
      case JobState::poison: return name + " failed at " + short_oid(job->commit) + ": " + job->message;
      case JobState::done:
      case JobState::superseded: break;
    }
  }
  if (refusal) {
    for (const Verdict& verdict : refusal->verdicts) {
      if (verdict.effect != Effect::deny) continue;
      return name + " stays at " + short_oid(row.applied_commit) + ": commit " + short_oid(refusal->commit) +
             " was refused: " + (verdict.place.file.empty() ? "" : verdict.place.to_string() + ": ") + verdict.message;
    }
  }
  return name + " runs " + short_oid(row.applied_commit) + ", the newest commit that changes it, and is " +
         (row.health.empty() ? "unknown" : row.health);
}

std::string Api::next_step(const queue::AppRow& row, const Job* job) {
  const std::string name = row.application.id.to_string();
  if (row.suspended) return "plumb resume " + name;
  if (job == nullptr) return "";
  if (job->state == JobState::waiting) return "plumb diff " + name + "   then  plumb sync " + name;
  if (job->state == JobState::failed || job->state == JobState::poison) return "plumb logs " + name;
  if (job->state == JobState::queued || job->state == JobState::running) return "plumb wait " + name;
  return "";
}

Api::Answer Api::status(Request&) {
  const auto rows = TRY(parts_.ledger.store().read<std::vector<queue::AppRow>>(queue::apps));
  std::map<std::string, int> counts;
  Json needs = Json::array();
  for (const auto& row : rows) {
    queue::JobFilter filter;
    filter.app = row.application.id;
    filter.limit = 1;
    const auto latest = TRY(jobs_of(filter));
    const Job* job = latest.empty() ? nullptr : &latest.front();
    std::string state = row.health.empty() ? "unknown" : row.health;
    if (job != nullptr && (job->state == JobState::queued || job->state == JobState::running)) state = "progressing";
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
    clusters.push_back({{"name", status.name}, {"reachable", status.reachable}, {"message", status.message}});
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
              {"http", parts_.http_address}};
}

Api::Answer Api::apps(Request&) {
  const auto rows = TRY(parts_.ledger.store().read<std::vector<queue::AppRow>>(queue::apps));
  Json list = Json::array();
  for (const auto& row : rows) {
    queue::JobFilter filter;
    filter.app = row.application.id;
    filter.limit = 1;
    const auto latest = TRY(jobs_of(filter));
    list.push_back(view(row, latest.empty() ? nullptr : &latest.front()));
  }
  return Json{{"applications", std::move(list)}};
}

Api::Answer Api::app(Request& request) {
  const auto row = TRY(named_app(request.params));
  queue::JobFilter filter;
  filter.app = row.application.id;
  filter.limit = 10;
  const auto recent = TRY(jobs_of(filter));
  Json jobs = Json::array();
  for (const Job& job : recent) jobs.push_back(view(job));
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
  const auto row = TRY(named_app(request.params));
  queue::JobFilter filter;
  filter.app = row.application.id;
  filter.limit = 1;
  const auto latest = TRY(jobs_of(filter));
  const Job* job = latest.empty() ? nullptr : &latest.front();
  return Json{{"application", row.application.id.to_string()},
              {"sentence", sentence(row, job)},
              {"next", next_step(row, job)}};
}

Api::Answer Api::wait(Request& request) {
  const std::string what = json::text(request.params, "what");
  const auto timeout = std::chrono::milliseconds(
      std::clamp<std::int64_t>(json::number(request.params, "timeout_ms", 600'000), 0, 86'400'000));
  const bool is_commit = what.size() >= 4 && what.size() <= 64 &&
                         what.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (is_commit) {
    return follow(request, [this, what] {
      queue::JobFilter filter;
      filter.commit = what;
      filter.limit = kMaxRows;
      return jobs_of(filter);
    }, timeout);
  }
  const auto row = TRY(named_app(Json{{"application", what}}));
  return follow(request, [this, id = row.application.id] {
    queue::JobFilter filter;
    filter.app = id;
    filter.limit = 1;
    return jobs_of(filter);
  }, timeout);
}

Api::Answer Api::diff(Request& request) {
  const auto row = TRY(named_app(request.params));
  const auto& key = parts_.keys.key_of(row.application.id.project);
  using Plans = std::pair<Plan, Plan>;
  const auto plans = TRY(parts_.ledger.store().read<Plans>([&](sqlite::Connection& db) -> Result<Plans> {
    Plans both;
    if (!row.applied_plan.empty()) both.first = TRY(plan::load_plan(db, row.applied_plan, key));
    both.second = TRY(plan::load_plan(db, row.wanted_plan, key));
    return both;
  }));
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
  const auto row = TRY(named_app(request.params));
  const auto plan = TRY(parts_.ledger.store().read<Plan>([&](sqlite::Connection& db) {
    return plan::load_plan(db, row.wanted_plan, parts_.keys.key_of(row.application.id.project));
  }));
  Json objects = Json::array();
  for (const Manifest& manifest : plan.objects) objects.push_back(shown_object(manifest).dump());
  return Json{{"application", row.application.id.to_string()}, {"commit", row.wanted_commit}, {"objects", std::move(objects)}};
}

Api::Answer Api::history(Request& request) {
  const auto row = TRY(named_app(request.params));
  queue::JobFilter filter;
  filter.app = row.application.id;
  filter.limit = limit_of(request.params);
  Json rollouts = Json::array();
  for (const Job& job : TRY(jobs_of(filter))) {
    Json shown = view(job);
    const auto event = TRY(parts_.ledger.store().read<std::optional<queue::StoredEvent>>(
        [&](sqlite::Connection& db) { return queue::find_event(db, job.event); }));
    shown["actor"] = event ? (event->event.actor.name.empty() ? event->event.actor.id : event->event.actor.name) : "";
    shown["reason"] = event ? event->event.reason : "";
    rollouts.push_back(std::move(shown));
  }
  return Json{{"rollouts", std::move(rollouts)}};
}

Api::Answer Api::jobs(Request& request) {
  queue::JobFilter filter;
  filter.limit = limit_of(request.params);
  if (!json::text(request.params, "application").empty()) filter.app = TRY(named_app(request.params)).application.id;
  if (const auto state = json::text(request.params, "state"); !state.empty()) filter.state = TRY(parse_job_state(state));
  Json list = Json::array();
  for (const Job& job : TRY(jobs_of(filter))) list.push_back(view(job));
  return Json{{"jobs", std::move(list)}};
}

Api::Answer Api::logs(Request& request) {
  JobId job = json::number(request.params, "job");
  if (job == 0) {
    queue::JobFilter filter;
    filter.app = TRY(named_app(request.params)).application.id;
    filter.limit = 1;
    const auto latest = TRY(jobs_of(filter));
    if (latest.empty()) return Json{{"lines", Json::array()}};
    job = latest.front().id;
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
                    {"schema_age_ms", status.schema_read_at == 0 ? Json() : Json(now - status.schema_read_at)}});
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
                      {"planned", state->commit.empty() ? Json() : Json(state->commit)},
                      {"refused", refusal ? Json(refusal->commit) : Json()}});
    }
    list.push_back({{"name", binding.name},
                    {"path", binding.path},
                    {"project", binding.project},
                    {"branches", binding.branches},
                    {"clusters", binding.clusters},
                    {"hooks",
                     {{"when_down", binding.when_down == config::WhenDown::refuse ? "refuse" : "accept"},
                      {"deadline_ms", binding.hooks_deadline.count()},
                      {"wait_ms", binding.hooks_wait.count()}}},
                    {"refs", std::move(refs)},
                    {"applications", applications}});
  }
  return Json{{"repositories", std::move(list)}};
}

Api::Answer Api::events(Request& request) {
  const std::string repository = json::text(request.params, "repository");
  const auto stored = TRY(parts_.ledger.store().read<std::vector<queue::StoredEvent>>(
      [&](sqlite::Connection& db) { return queue::events(db, repository, limit_of(request.params)); }));
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

Api::Answer Api::follow(Request& request, const std::function<Result<std::vector<Job>>()>& find_jobs,
                        std::chrono::milliseconds timeout) {
  const auto started = parts_.ledger.clock().steady();
  std::map<JobId, std::string> told;
  Json items;
  bool done = false;
  for (;;) {
    const auto seen = parts_.hub.version();
    const auto jobs = TRY(find_jobs());
    items = Json::array();
    done = true;
    for (const Job& job : jobs) {
      const auto row = TRY(parts_.ledger.store().read<std::optional<queue::AppRow>>(
          [&](sqlite::Connection& db) { return queue::find_app(db, job.app); }));
      const auto progress = parts_.hub.latest(job.id);
      const auto elapsed = (job.finished_at != 0 ? job.finished_at : parts_.ledger.clock().now()) - job.created_at;
      Json shown = progress_view(job, row ? &*row : nullptr, progress ? &*progress : nullptr, elapsed);
      done = done && is_final(job.state);
      Json without_time = shown;
      without_time.erase("elapsed_ms");
      if (auto& last = told[job.id]; last != without_time.dump()) {
        last = without_time.dump();
        TRY(request.connection.send('J', Json{{"event", shown}}.dump()));
      }
      shown["next"] = row ? next_step(*row, &job) : "";
      items.push_back(std::move(shown));
    }
    const auto passed = parts_.ledger.clock().steady() - started;
    if (done || passed >= timeout || request.stop.stop_requested() || request.connection.peer_gone()) break;
    parts_.hub.wait_past(seen, std::min<std::chrono::milliseconds>(
                                   std::chrono::duration_cast<std::chrono::milliseconds>(timeout - passed) + 1ms, 1000ms));
  }
  const bool ok = done && std::all_of(items.begin(), items.end(), [](const Json& item) {
    return item["state"] == "healthy" || item["state"] == "superseded";
  });
  return Json{{"done", done}, {"ok", ok}, {"items", std::move(items)}, {"applications_total", parts_.planner.applications_total()}};
}

}  // namespace plumb::server
