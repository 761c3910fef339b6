/// The most common rules that the server's own code has for built-in kinds and no schema holds.
/// Only what is certain: a rule that is left out costs a refusal later, a rule that is wrong
/// refuses good work.
#include <algorithm>
#include <set>

#include "drivers/json/fields.h"
#include "plan/schema_values.h"
#include "plan/schema_walk.h"

namespace plumb::plan::shape {
namespace {

constexpr std::int64_t kMostPort = 65535;

const Json* member(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

void deny(Report& report,
          const Path& path,
          const char* rule,
          std::string message,
          std::string hint = {}) {
  report.add(path, {rule, std::move(message), std::move(hint)});
}

void judge_port(
    const Json& object, const char* key, std::int64_t least, const Path& path, Report& report) {
  const Json* port = member(object, key);
  if (port == nullptr || !port->is_number_integer()) return;
  const auto number = port->get<std::int64_t>();
  // What does not fit in 32 bits was named already.
  if ((number >= least && number <= kMostPort) || number > INT32_MAX || number < INT32_MIN) return;
  deny(report, path.to(key), "native.port", "a port is a number from 1 to 65535");
}

/// One container's `resources`: nothing negative, no request above its limit.
void judge_resources(const Json& resources, const Path& path, Report& report) {
  const Json& limits = json::object(resources, "limits");
  for (const char* part : {"limits", "requests"}) {
    const Path here = path.to(part);
    for (const auto& [name, value] : json::object(resources, part).items()) {
      const std::optional<long double> amount = quantity(value);
      if (!amount) continue;
      if (*amount < 0)
        deny(report, here.to(name), "native.resources", "a quantity here is not negative");
      if (std::string_view(part) != "requests") continue;
      const auto limit = limits.find(name);
      const std::optional<long double> most =
          limit == limits.end() ? std::nullopt : quantity(*limit);
      // A relative margin stands for the decimal fractions that binary ones cannot hold.
      if (most && *amount > *most + *most * 1e-12L) {
        deny(report, here.to(name), "native.resources", "the request is more than the limit");
      }
    }
  }
}

void judge_container(const Json& container,
                     const std::set<std::string>& volumes,
                     const Path& path,
                     Report& report) {
  if (!container.is_object()) return;
  if (json::text(container, "image").empty() &&
      (member(container, "image") == nullptr || container["image"] == Json(""))) {
    deny(report, path, "native.image", "required key \"image\" is missing");
  }
  const Json* name = member(container, "name");
  if (name != nullptr && name->is_string() && !is_dns_label(name->get<std::string>())) {
    deny(report, path.to("name"), "metadata.name",
         "a container's name has at most 63 lower-case letters, digits and \"-\"");
  }
  const Path ports = path.to("ports");
  std::size_t index = 0;
  for (const Json& port : json::list(container, "ports")) {
    const Path here = ports.at(index++);
    judge_port(port, "containerPort", 1, here, report);
    judge_port(port, "hostPort", 0, here, report);
  }
  judge_resources(json::object(container, "resources"), path.to("resources"), report);
  const Path mounts = path.to("volumeMounts");
  index = 0;
  for (const Json& mount : json::list(container, "volumeMounts")) {
    const Path here = mounts.at(index++);
    const std::string wanted = json::text(mount, "name");
    if (wanted.empty() || volumes.count(wanted) == 1) continue;
    deny(report, here.to("name"), "native.volume", "no volume \"" + wanted + "\" in this pod");
  }
}

void judge_volumes(const Json& spec,
                   const Path& path,
                   std::set<std::string>& names,
                   Report& report) {
  const Path volumes = path.to("volumes");
  std::size_t index = 0;
  for (const Json& volume : json::list(spec, "volumes")) {
    const Path here = volumes.at(index++);
    if (!volume.is_object()) continue;
    names.insert(json::text(volume, "name"));
    int sources = 0;
    for (const auto& [key, value] : volume.items())
      sources += key != "name" && !value.is_null() ? 1 : 0;
    if (sources > 1)
      deny(report, here, "native.volume",
           "a volume has one source, not " + std::to_string(sources));
  }
}

/// The pod that `holder` (a Pod, or a template) has under `spec`; `path` leads there.
void judge_pod(const Json& holder, const Json& claims, const Path& path, Report& report) {
  const Json& spec = json::object(holder, "spec");
  std::set<std::string> volumes;
  for (const Json& claim : claims)
    volumes.insert(json::text(json::object(claim, "metadata"), "name"));
  judge_volumes(spec, path, volumes, report);
  const Json* containers = member(spec, "containers");
  // Where `spec` is written without them, the schema says so.
  const bool no_spec = !holder.empty() && member(holder, "spec") == nullptr;
  if (no_spec || (containers != nullptr && *containers == Json::array())) {
    deny(report, path.to("containers"), "native.containers", "a pod has at least one container");
  }
  for (const char* part : {"initContainers", "containers"}) {
    const Path list = path.to(part);
    std::size_t index = 0;
    for (const Json& container : json::list(spec, part)) {
      judge_container(container, volumes, list.at(index++), report);
    }
  }
}

/// True if one expression of a selector holds for these labels.
bool holds(const Json& expression, const Json& labels) {
  const auto label = labels.find(json::text(expression, "key"));
  const bool present = label != labels.end();
  const std::string operation = json::text(expression, "operator");
  if (operation == "Exists") return present;
  if (operation == "DoesNotExist") return !present;
  const std::vector<std::string> values = json::texts(expression, "values");
  const std::string value = present && label->is_string() ? label->get<std::string>() : "";
  const bool among = present && std::find(values.begin(), values.end(), value) != values.end();
  return operation == "In" ? among : operation != "NotIn" || !among;
}

/// Deployment and its like: the selector finds the pods that the template makes.
void judge_selector(const Json& spec, const Path& path, Report& report) {
  const Json* selector = member(spec, "selector");
  if (selector == nullptr || !selector->is_object()) return;
  const Json& wanted = json::object(*selector, "matchLabels");
  const Json& expressions = json::list(*selector, "matchExpressions");
  if (wanted.empty() && expressions.empty()) {
    deny(report, path.to("selector"), "native.selector", "the selector is empty");
    return;
  }
  const Json& labels =
      json::object(json::object(json::object(spec, "template"), "metadata"), "labels");
  const bool same =
      std::all_of(wanted.items().begin(), wanted.items().end(), [&](const auto& entry) {
        const auto label = labels.find(entry.key());
        const auto plain = [](const Json& value) { return value.is_null() ? Json("") : value; };
        return label != labels.end() && plain(*label) == plain(entry.value());
      });
  const bool fits = same && std::all_of(expressions.begin(), expressions.end(),
                                        [&](const Json& one) { return holds(one, labels); });
  if (fits) return;
  deny(report, path.to("selector"), "native.selector",
       "the selector does not match the labels of the template",
       "write the same labels under template.metadata.labels");
}

void judge_workload(const Json& object, Report& report) {
  const std::string& kind = report.manifest().key.kind;
  const Path root;
  const Path path = root.to("spec");
  const Json& spec = json::object(object, "spec");
  const Path pod_template = path.to("template");
  const Path pod = pod_template.to("spec");
  const Json& pod_spec = json::object(json::object(spec, "template"), "spec");
  const bool job = kind == "Job";
  const std::string restart = json::text(pod_spec, "restartPolicy");
  if (job && (restart.empty() || restart == "Always")) {
    deny(report, pod.to("restartPolicy"), "native.restart",
         "a Job's pods restart OnFailure or Never");
  }
  if (!job && !restart.empty() && restart != "Always") {
    deny(report, pod.to("restartPolicy"), "native.restart",
         "the pods of a " + kind + " restart Always");
  }
  if (!job) judge_selector(spec, path, report);
  const Json* replicas = member(spec, "replicas");
  if (replicas != nullptr && replicas->is_number() && replicas->get<double>() < 0) {
    deny(report, path.to("replicas"), "native.replicas", "there are no fewer than 0 replicas");
  }
  judge_pod(json::object(spec, "template"), json::list(spec, "volumeClaimTemplates"), pod, report);
}

void judge_cron_job(const Json& object, Report& report) {
  const Path root;
  const Path path = root.to("spec");
  const Json& spec = json::object(object, "spec");
  const Json* schedule = member(spec, "schedule");
  if (schedule != nullptr && schedule->is_string() && !is_schedule(schedule->get<std::string>())) {
    deny(report, path.to("schedule"), "native.schedule",
         "a schedule has five fields, or is a word like @daily",
         "\"*/5 * * * *\" is every five minutes");
  }
  const Path job = path.to("jobTemplate");
  const Path job_spec = job.to("spec");
  const Path pod_template = job_spec.to("template");
  const Json& inner = json::object(json::object(spec, "jobTemplate"), "spec");
  judge_pod(json::object(inner, "template"), json::list(inner, "none"), pod_template.to("spec"),
            report);
}

void judge_service(const Json& object, Report& report) {
  const Path root;
  const Path path = root.to("spec");
  const Path ports = path.to("ports");
  const Json& list = json::list(json::object(object, "spec"), "ports");
  std::size_t index = 0;
  for (const Json& port : list) {
    const Path here = ports.at(index++);
    judge_port(port, "port", 1, here, report);
    if (const Json* target = member(port, "targetPort"); target != nullptr && *target != Json(0)) {
      judge_port(port, "targetPort", 1, here, report);
    }
    if (list.size() > 1 && port.is_object() && json::text(port, "name").empty() &&
        member(port, "name") == nullptr) {
      deny(report, here, "native.port", "each of several ports needs a name");
    }
  }
}

void judge_autoscaler(const Json& object, Report& report) {
  const Json& spec = json::object(object, "spec");
  const std::int64_t most = json::number(spec, "maxReplicas", INT32_MAX);
  const std::int64_t least = json::number(spec, "minReplicas", 1);
  if (most >= least && most > 0) return;
  const Path root;
  const Path path = root.to("spec");
  deny(report, path.to("maxReplicas"), "native.replicas", "maxReplicas is less than minReplicas");
}

void judge_budget(const Json& object, Report& report) {
  const Json& spec = json::object(object, "spec");
  if (member(spec, "minAvailable") == nullptr || member(spec, "maxUnavailable") == nullptr) return;
  const Path root;
  deny(report, root.to("spec"), "native.budget",
       "minAvailable and maxUnavailable cannot both be set");
}

void judge_role(const Json& object, Report& report) {
  const Path root;
  const Path path = root.to("rules");
  std::size_t index = 0;
  for (const Json& rule : json::list(object, "rules")) {
    const Path here = path.at(index++);
    if (!rule.is_object() || !json::list(rule, "nonResourceURLs").empty()) continue;
    for (const char* key : {"apiGroups", "resources"}) {
      if (!json::list(rule, key).empty()) continue;
      deny(report, here, "native.rule",
           "a rule names at least one item under \"" + std::string(key) + "\"",
           std::string_view(key) == "apiGroups" ? "the core group is \"\"" : "");
    }
  }
}

/// Types of Secret that want certain keys. `data` and `stringData` count together.
void judge_secret(const Json& object, Report& report) {
  const std::string type = json::text(object, "type");
  const auto has = [&](const char* key) {
    return json::object(object, "data").contains(key) ||
           json::object(object, "stringData").contains(key);
  };
  const Path root;
  const auto wants = [&](const char* key) {
    if (!has(key)) {
      deny(report, root.to("data"), "native.secret",
           "a Secret of type " + type + " needs the key \"" + key + "\"");
    }
  };
  if (type == "kubernetes.io/tls") {
    wants("tls.crt");
    wants("tls.key");
  }
  if (type == "kubernetes.io/ssh-auth") wants("ssh-privatekey");
  if (type == "kubernetes.io/dockercfg") wants(".dockercfg");
  if (type != "kubernetes.io/dockerconfigjson") return;
  constexpr const char* kKey = ".dockerconfigjson";
  wants(kKey);
  const Json* plain = member(json::object(object, "stringData"), kKey);
  const Json* coded = member(json::object(object, "data"), kKey);
  std::string text;
  if (plain != nullptr && plain->is_string()) {
    text = plain->get<std::string>();
  } else if (coded != nullptr && coded->is_string() &&
             is_base64(coded->get_ref<const std::string&>())) {
    text = from_base64(coded->get_ref<const std::string&>());
  } else {
    return;
  }
  if (Json::accept(text)) return;
  const Path data = root.to(plain != nullptr ? "stringData" : "data");
  deny(report, data.to(kKey), "native.secret", "the value is no JSON");
}

struct Rule {
  std::string_view group;
  std::string_view kind;
  void (*judge)(const Json& object, Report& report);
};

}  // namespace

void judge_native(const Json& object, Report& report) {
  static constexpr Rule kRules[] = {
      {"apps", "DaemonSet", judge_workload},
      {"apps", "Deployment", judge_workload},
      {"apps", "ReplicaSet", judge_workload},
      {"apps", "StatefulSet", judge_workload},
      {"autoscaling", "HorizontalPodAutoscaler", judge_autoscaler},
      {"batch", "CronJob", judge_cron_job},
      {"batch", "Job", judge_workload},
      {"policy", "PodDisruptionBudget", judge_budget},
      {"rbac.authorization.k8s.io", "ClusterRole", judge_role},
      {"rbac.authorization.k8s.io", "Role", judge_role},
      {"", "Secret", judge_secret},
      {"", "Service", judge_service},
  };
  const ObjectKey& key = report.manifest().key;
  for (const Rule& rule : kRules) {
    if (rule.group == key.group() && rule.kind == key.kind) return rule.judge(object, report);
  }
  if (!key.group().empty() || key.kind != "Pod") return;
  const Path root;
  judge_pod(object, json::list(object, "none"), root.to("spec"), report);
}

}  // namespace plumb::plan::shape
