#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/oid.h"
#include "core/text.h"
#include "drivers/json/fields.h"
#include "server/api.h"

namespace plumb::server {
namespace {

using Json = nlohmann::json;

std::string reason_of(const Json& params) {
  return printable(json::text(params, "reason"), 500);
}

}  // namespace

void Api::add_commands() {
  const auto write = [this](const char* name, Answer (Api::*run)(Request&)) {
    methods_[name] = {true, [this, run](Request& request) { return (this->*run)(request); }};
  };
  write("sync", &Api::sync);
  write("suspend", &Api::suspend);
  write("resume", &Api::resume);
  write("rollback", &Api::rollback);
  write("scan", &Api::scan);
}

Api::Answer Api::sync(Request& request) {
  auto row = TRY(named_app(request));
  const std::string name = row.application.id.to_string();
  if (row.suspended) {
    return fail(Errc::denied, name + " is suspended: " + row.suspended_because, "",
                "plumb resume " + name);
  }
  const std::string confirmed = json::text(request.params, "confirm_plan");
  if (!confirmed.empty() && (confirmed.size() < 8 || !row.wanted_plan.starts_with(confirmed))) {
    return fail(Errc::conflict,
                "the plan of " + name + " is " + row.wanted_plan.substr(0, 12) + " now, not " +
                    printable(confirmed),
                "", "plumb diff " + name);
  }
  // After a rollback, sync means: take up the newest commit again.
  const auto newest = parts_.planner.state(row.application.repository, row.ref);
  const auto declared = newest->apps.find(row.application.id);
  worker::Ledger::Command command;
  command.actor = request.caller.actor;
  command.kind = row.removed ? JobKind::remove : JobKind::sync;
  command.commit = row.held_commit.empty() ? row.wanted_commit : row.held_commit;
  command.plan = declared == newest->apps.end() ? row.wanted_plan : declared->second->plan_digest;
  command.reason = reason_of(request.params);
  command.confirm_prune = !confirmed.empty();
  command.reapply = json::flag(request.params, "reapply");
  command.seen = row;
  const auto job = TRY(parts_.ledger.command(command));
  parts_.jobs_ready();
  return Json{
      {"job", job}, {"application", name}, {"commit", command.commit}, {"plan", command.plan}};
}

Api::Answer Api::suspend(Request& request) {
  const auto row = TRY(named_app(request));
  TRY(parts_.ledger.suspend(request.caller.actor, row.application.id, reason_of(request.params)));
  return Json{{"application", row.application.id.to_string()}};
}

Api::Answer Api::resume(Request& request) {
  const auto row = TRY(named_app(request));
  TRY(parts_.ledger.resume(request.caller.actor, row.application.id, reason_of(request.params)));
  parts_.jobs_ready();
  return Json{{"application", row.application.id.to_string()}};
}

/// The newest plan that ran healthy and is not the one that is wanted now, or the one a person
/// named. One that was swept is not offered: the newest are kept by retention.
Api::Answer Api::rollback(Request& request) {
  const auto row = TRY(named_app(request));
  const std::string name = row.application.id.to_string();
  const std::string to = json::text(request.params, "to");
  queue::JobFilter filter;
  filter.app = row.application.id;
  filter.state = JobState::done;
  filter.limit = 1000;
  const auto done = TRY(jobs_of(filter));
  const auto target = std::find_if(done.begin(), done.end(), [&](const Job& job) {
    if (job.kind == JobKind::remove) return false;
    return to.empty() ? job.plan_digest != row.wanted_plan : job.commit.starts_with(to);
  });
  if (target == done.end()) {
    return fail(Errc::invalid,
                to.empty() ? name + " never ran another plan that was healthy"
                           : name + " never ran healthy at " + printable(to),
                "", "plumb history " + name);
  }
  worker::Ledger::Command command;
  command.actor = request.caller.actor;
  command.kind = JobKind::rollback;
  command.commit = target->commit;
  command.plan = target->plan_digest;
  command.reason = reason_of(request.params);
  command.seen = row;
  const auto job = TRY(parts_.ledger.command(command));
  parts_.jobs_ready();
  return Json{{"job", job},
              {"application", name},
              {"commit", target->commit},
              {"plan", target->plan_digest}};
}

Api::Answer Api::scan(Request& request) {
  const std::string wanted = json::text(request.params, "repository");
  int found = 0;
  bool known = wanted.empty();
  for (const auto& binding : parts_.config.repositories) {
    if (!wanted.empty() && binding.name != wanted) continue;
    known = true;
    found += TRY(parts_.spool.read(binding));
    found += TRY(parts_.planner.observe(binding, Trigger::scan, request.caller.actor, ""));
  }
  request.not_found = !known;
  if (!known) {
    return fail(Errc::invalid, "no repository \"" + printable(wanted) + "\" in the server's file",
                "", "plumb repo list");
  }
  return Json{{"events", found}};
}

}  // namespace plumb::server
