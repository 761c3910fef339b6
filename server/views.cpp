#include "server/views.h"

#include <nlohmann/json.hpp>

#include "core/oid.h"

namespace plumb::server {
namespace {

using Json = nlohmann::json;

char op_sign(plan::ObjectChange::Op op) {
  switch (op) {
    case plan::ObjectChange::Op::add: return '+';
    case plan::ObjectChange::Op::change: return '~';
    case plan::ObjectChange::Op::remove: return '-';
  }
  return '?';
}

Json view(const worker::JudgedVerdict& judged) {
  const Verdict& v = judged.verdict;
  Json source = Json::array();
  for (const auto& line : judged.source)
    source.push_back({{"line", line.line}, {"text", line.text}});
  return {{"effect", to_string(v.effect)},
          {"rule", v.rule},
          {"application", v.application},
          {"object", v.object},
          {"field", v.field},
          {"file", v.place.file},
          {"line", v.place.line},
          {"column", v.place.column},
          {"message", v.message},
          {"hint", v.hint},
          {"subject", v.subject},
          {"source", std::move(source)}};
}

Json view(const worker::JudgedApp& app) {
  Json changes = Json::array();
  int created = 0;
  int configured = 0;
  int pruned = 0;
  for (const auto& change : app.changes) {
    changes.push_back(server::view(change));
    created += change.op == plan::ObjectChange::Op::add ? 1 : 0;
    configured += change.op == plan::ObjectChange::Op::change ? 1 : 0;
    pruned += change.op == plan::ObjectChange::Op::remove ? 1 : 0;
  }
  return {{"application", app.id.to_string()},
          {"how", plan::to_string(app.how)},
          {"changes", std::move(changes)},
          {"created", created},
          {"configured", configured},
          {"pruned", pruned},
          {"ok", app.ok}};
}

Json or_null(UnixMillis time) {
  return time == 0 ? Json() : Json(time);
}

}  // namespace

Json view(const Job& job) {
  return {{"id", job.id},
          {"event", job.event},
          {"application", job.app.to_string()},
          {"kind", to_string(job.kind)},
          {"commit", job.commit},
          {"plan", job.plan_digest},
          {"state", to_string(job.state)},
          {"attempt", job.attempt},
          {"created_at", job.created_at},
          {"finished_at", or_null(job.finished_at)},
          {"phase", job.phase},
          {"message", job.message}};
}

std::string git_state(const queue::AppRow& row) {
  if (row.removed) return "removed";
  if (!row.held_commit.empty()) return "held";
  return row.applied_plan == row.wanted_plan ? "current" : "behind";
}

Json view(const queue::AppRow& row, const Job* latest) {
  const Application& app = row.application;
  return {{"application", app.id.to_string()},
          {"repository", app.repository},
          {"ref", row.ref},
          {"path", app.path},
          {"engine", app.engine ? Json(to_string(*app.engine)) : Json()},
          {"namespace", app.ns},
          {"sync", to_string(app.sync)},
          {"suspended", row.suspended},
          {"suspended_because", row.suspended_because},
          {"wanted_commit", row.wanted_commit},
          {"wanted_plan", row.wanted_plan},
          {"applied_commit", row.applied_commit},
          {"applied_plan", row.applied_plan},
          {"applied_at", or_null(row.applied_at)},
          {"held_commit", row.held_commit},
          {"git", git_state(row)},
          {"health", row.health.empty() ? "unknown" : row.health},
          {"health_message", row.health_message},
          {"job", latest == nullptr ? Json() : view(*latest)}};
}

Json view(const plan::ObjectChange& change) {
  Json fields = Json::array();
  for (const auto& field : change.fields) {
    fields.push_back({{"path", field.path}, {"old", field.before}, {"new", field.after}});
  }
  return {{"op", std::string(1, op_sign(change.op))},
          {"title", change.key.title()},
          {"identity", change.key.identity()},
          {"place", change.place.to_string()},
          {"fields", std::move(fields)},
          {"masked", change.masked}};
}

Json view(const worker::Judgement& judgement, std::int64_t checked_ms) {
  Json applications = Json::array();
  for (const auto& app : judgement.applications) applications.push_back(view(app));
  Json verdicts = Json::array();
  for (const auto& verdict : judgement.verdicts) verdicts.push_back(view(verdict));
  return {{"accepted", judgement.accepted},
          {"tracked", judgement.tracked},
          {"commits", judgement.commits},
          {"changed_files", judgement.changed_files},
          {"changed_folder", judgement.changed_folder},
          {"applications_total", judgement.applications_total},
          {"checked_ms", checked_ms},
          {"rendered", judgement.rendered},
          {"applications", std::move(applications)},
          {"verdicts", std::move(verdicts)},
          {"notes", judgement.notes},
          {"deadline_passed", judgement.deadline_passed},
          {"judged", judgement.judged}};
}

Json view(const queue::StoredEvent& stored) {
  Json refs = Json::array();
  for (const RefUpdate& ref : stored.event.refs) {
    refs.push_back({{"ref", ref.ref}, {"old", ref.old_oid}, {"new", ref.new_oid}});
  }
  const char* state = stored.state == queue::EventState::received  ? "received"
                      : stored.state == queue::EventState::planned ? "planned"
                                                                   : "ignored";
  return {
      {"id", stored.id},
      {"repository", stored.event.repository},
      {"refs", std::move(refs)},
      {"trigger", to_string(stored.event.trigger)},
      {"actor", stored.event.actor.name.empty() ? stored.event.actor.id : stored.event.actor.name},
      {"assurance", to_string(stored.event.actor.assurance)},
      {"reason", stored.event.reason},
      {"state", state},
      {"note", stored.note},
      {"received_at", stored.event.received_at}};
}

Json view(const Error& error) {
  return {{"code", to_string(error.code)},
          {"message", error.message},
          {"where", error.where},
          {"hint", error.hint}};
}

bool is_final(JobState state) {
  return state != JobState::queued && state != JobState::running;
}

std::string shown_state(const Job& job, const queue::AppRow* row) {
  switch (job.state) {
    case JobState::waiting: return row != nullptr && row->suspended ? "suspended" : "waiting";
    case JobState::queued: return "queued";
    case JobState::running: return "running";
    case JobState::done: return "healthy";
    case JobState::superseded: return "superseded";
    case JobState::failed:
    case JobState::poison: return "failed";
  }
  return "queued";
}

Json progress_view(const Job& job,
                   const queue::AppRow* row,
                   const worker::Progress* progress,
                   std::int64_t elapsed_ms) {
  const worker::Progress none;
  const worker::Progress& last = progress == nullptr ? none : *progress;
  return {{"application", job.app.to_string()},
          {"job", job.id},
          {"state", shown_state(job, row)},
          {"phase", job.state == JobState::running && !last.phase.empty()
                        ? last.phase
                        : std::string(to_string(job.state))},
          {"created", last.counts.created},
          {"configured", last.counts.configured},
          {"pruned", last.counts.pruned},
          {"done", last.done},
          {"total", last.total},
          {"elapsed_ms", elapsed_ms},
          {"message", job.state == JobState::running ? last.message : job.message}};
}

}  // namespace plumb::server
