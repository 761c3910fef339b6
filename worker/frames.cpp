#include "worker/frames.h"

#include <nlohmann/json.hpp>

#include "drivers/json/fields.h"
#include "drivers/json/json.h"

namespace plumb::worker {
namespace {

using Json = nlohmann::json;

using json::flag;
using json::list;
using json::number;
using json::object;
using json::text;
using json::texts;

/// Plans may be large and deep; the peer is ours, so only the size is bounded.
Result<Json> parsed(std::string_view body) {
  auto value = TRY(json::parse(
      body, {.max_bytes = 64U << 20U, .max_depth = 128, .refuse_duplicate_keys = false}));
  if (!value.is_object()) return fail(Errc::invalid, "frame: not an object");
  return value;
}

Json to_json(const AppId& id) {
  return {{"project", id.project},
          {"name", id.name},
          {"environment", id.environment},
          {"cluster", id.cluster}};
}
AppId app_id(const Json& v) {
  return {text(v, "project"), text(v, "name"), text(v, "environment"), text(v, "cluster")};
}

Json to_json(const ObjectKey& key) {
  return {{"apiVersion", key.api_version},
          {"kind", key.kind},
          {"namespace", key.ns},
          {"name", key.name}};
}
ObjectKey object_key(const Json& v) {
  return {text(v, "apiVersion"), text(v, "kind"), text(v, "namespace"), text(v, "name")};
}

Json to_json(const Lease& lease) {
  return {
      {"job", lease.job}, {"epoch", lease.epoch}, {"worker", lease.worker}, {"until", lease.until}};
}
Lease lease_of(const Json& v) {
  return {number(v, "job"), number(v, "epoch"), text(v, "worker"), number(v, "until")};
}

Json to_json(const Place& place) {
  return {{"file", place.file}, {"line", place.line}, {"column", place.column}};
}
Place place_of(const Json& v) {
  return {text(v, "file"), static_cast<int>(number(v, "line")),
          static_cast<int>(number(v, "column"))};
}

Json to_json(const Counts& c) {
  return {{"created", c.created},
          {"configured", c.configured},
          {"unchanged", c.unchanged},
          {"pruned", c.pruned}};
}
Counts counts_of(const Json& v) {
  return {static_cast<int>(number(v, "created")), static_cast<int>(number(v, "configured")),
          static_cast<int>(number(v, "unchanged")), static_cast<int>(number(v, "pruned"))};
}

Json to_json(const apply::InventoryItem& item) {
  return {{"key", to_json(item.key)},
          {"applied", item.state == apply::InventoryItem::State::applied},
          {"hash", item.hash},
          {"uid", item.uid},
          {"resourceVersion", item.resource_version},
          {"wave", item.wave}};
}
apply::InventoryItem item_of(const Json& v) {
  using State = apply::InventoryItem::State;
  return {object_key(object(v, "key")),
          flag(v, "applied") ? State::applied : State::intended,
          text(v, "hash"),
          text(v, "uid"),
          text(v, "resourceVersion"),
          static_cast<int>(number(v, "wave"))};
}

Json items_json(const std::vector<apply::InventoryItem>& items) {
  Json out = Json::array();
  for (const auto& item : items) out.push_back(to_json(item));
  return out;
}
std::vector<apply::InventoryItem> items_of(const Json& values) {
  std::vector<apply::InventoryItem> items;
  for (const Json& value : values) items.push_back(item_of(value));
  return items;
}

template <class Strings>
Json strings_json(const Strings& strings) {
  Json out = Json::array();
  for (const std::string& s : strings) out.push_back(s);
  return out;
}
/// Only what applying needs: where the application stands in Git is plumbd's business.
Json to_json(const Application& a) {
  return {{"id", to_json(a.id)},
          {"repository", a.repository},
          {"path", a.path},
          {"namespace", a.ns},
          {"prune", a.prune},
          {"cascade", a.on_delete == OnDelete::cascade},
          {"healthTimeoutMs", a.health_timeout.count()}};
}
Application application_of(const Json& v) {
  Application a;
  a.id = app_id(object(v, "id"));
  a.repository = text(v, "repository");
  a.path = text(v, "path");
  a.ns = text(v, "namespace");
  a.prune = flag(v, "prune");
  a.on_delete = flag(v, "cascade") ? OnDelete::cascade : OnDelete::orphan;
  a.health_timeout = std::chrono::milliseconds(number(v, "healthTimeoutMs"));
  return a;
}

}  // namespace

std::string encode(const JobOrder& order) {
  const Job& job = order.job;
  return json::canonical({{"lease", to_json(order.lease)},
                          {"leaseMs", order.lease_ms},
                          {"app", to_json(job.app)},
                          {"kind", to_string(job.kind)},
                          {"commit", job.commit},
                          {"plan", job.plan_digest},
                          {"attempt", job.attempt}});
}

Result<JobOrder> decode_job_order(std::string_view body) {
  const Json v = TRY(parsed(body));
  JobOrder order;
  order.lease = lease_of(object(v, "lease"));
  order.lease_ms = number(v, "leaseMs");
  order.job.id = order.lease.job;
  order.job.app = app_id(object(v, "app"));
  order.job.kind = TRY(parse_job_kind(text(v, "kind")));
  order.job.commit = text(v, "commit");
  order.job.plan_digest = text(v, "plan");
  order.job.attempt = static_cast<int>(number(v, "attempt"));
  return order;
}

std::string encode(std::int64_t call, const WorkOrder& order) {
  Json objects = Json::array();
  for (const Manifest& m : order.plan.objects) {
    objects.push_back({{"key", to_json(m.key)},
                       {"json", m.json},
                       {"hash", m.hash},
                       {"tainted", m.tainted},
                       {"place", to_json(m.place)}});
  }
  return json::canonical({{"call", call},
                          {"digest", order.plan.digest},
                          {"application", to_json(order.plan.application)},
                          {"commit", order.plan.commit},
                          {"objects", std::move(objects)},
                          {"removeApplication", order.plan.remove_application},
                          {"inventory", items_json(order.inventory)},
                          {"claimedElsewhere", strings_json(order.claimed_elsewhere)},
                          {"pruneConfirmed", order.prune_confirmed},
                          {"reapplyUnchanged", order.reapply_unchanged},
                          {"hold", order.hold}});
}

Result<WorkOrder> decode_work_order(std::string_view body) {
  const Json v = TRY(parsed(body));
  WorkOrder order;
  order.plan.digest = text(v, "digest");
  order.plan.application = application_of(object(v, "application"));
  order.plan.commit = text(v, "commit");
  order.plan.remove_application = flag(v, "removeApplication");
  for (const Json& o : list(v, "objects")) {
    order.plan.objects.push_back({object_key(object(o, "key")), text(o, "json"), text(o, "hash"),
                                  flag(o, "tainted"), place_of(object(o, "place"))});
  }
  order.inventory = items_of(list(v, "inventory"));
  const auto elsewhere = texts(v, "claimedElsewhere");
  order.claimed_elsewhere = {elsewhere.begin(), elsewhere.end()};
  order.prune_confirmed = flag(v, "pruneConfirmed");
  order.reapply_unchanged = flag(v, "reapplyUnchanged");
  order.hold = text(v, "hold");
  return order;
}

std::string encode(const WorkerCall& call) {
  return json::canonical({{"call", call.call},
                          {"lease", to_json(call.lease)},
                          {"items", items_json(call.items)},
                          {"identities", strings_json(call.identities)},
                          {"auditIds", strings_json(call.audit_ids)},
                          {"outcome",
                           {{"ending", to_string(call.outcome.ending)},
                            {"code", to_string(call.outcome.code)},
                            {"message", call.outcome.message},
                            {"counts", to_json(call.outcome.counts)}}}});
}

Result<WorkerCall> decode_worker_call(std::string_view body) {
  const Json v = TRY(parsed(body));
  WorkerCall call;
  call.call = number(v, "call");
  call.lease = lease_of(object(v, "lease"));
  call.items = items_of(list(v, "items"));
  call.identities = texts(v, "identities");
  call.audit_ids = texts(v, "auditIds");
  const Json outcome = object(v, "outcome");
  call.outcome.ending = TRY(parse_ending(text(outcome, "ending")));
  call.outcome.code = parse_errc(text(outcome, "code"));
  call.outcome.message = text(outcome, "message");
  call.outcome.counts = counts_of(object(outcome, "counts"));
  return call;
}

std::string encode(const ProgressFrame& p) {
  return json::canonical({{"job", p.job},
                          {"phase", p.phase},
                          {"counts", to_json(p.counts)},
                          {"done", p.done},
                          {"total", p.total},
                          {"message", p.message}});
}

Result<ProgressFrame> decode_progress(std::string_view body) {
  const Json v = TRY(parsed(body));
  return ProgressFrame{number(v, "job"),
                       text(v, "phase"),
                       counts_of(object(v, "counts")),
                       static_cast<int>(number(v, "done")),
                       static_cast<int>(number(v, "total")),
                       text(v, "message")};
}

std::string encode_answer(std::int64_t call, UnixMillis until, const Error* error) {
  Json v{{"call", call}, {"until", until}, {"ok", error == nullptr}};
  if (error != nullptr) {
    v["code"] = to_string(error->code);
    v["message"] = error->message;
  }
  return json::canonical(v);
}

Result<Answer> decode_answer(std::string_view body) {
  const Json v = TRY(parsed(body));
  Answer answer;
  answer.call = number(v, "call");
  answer.until = number(v, "until");
  answer.ok = flag(v, "ok");
  if (!answer.ok) answer.error = Error{parse_errc(text(v, "code")), text(v, "message")};
  return answer;
}

std::string encode_stop(JobId job, std::int64_t epoch, std::string_view why) {
  return json::canonical({{"job", job}, {"epoch", epoch}, {"why", why}});
}

Result<StopOrder> decode_stop(std::string_view body) {
  const Json v = TRY(parsed(body));
  return StopOrder{number(v, "job"), number(v, "epoch"), text(v, "why")};
}

}  // namespace plumb::worker
