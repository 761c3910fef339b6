/// Rules for whole objects that no schema holds, and the report they share with the walk.
#include <algorithm>
#include <array>

#include "core/text.h"
#include "plan/schema_values.h"
#include "plan/schema_walk.h"

namespace plumb::plan::shape {
namespace {

bool is_plain_key(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_';
  });
}

void append_key(std::string& text, std::string_view key) {
  if (is_plain_key(key)) {
    if (!text.empty()) text += '.';
    text += key;
    return;
  }
  text += "[\"";
  for (const char c : key) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  text += "\"]";
}

void write(const Path& path, bool with_positions, std::string& text) {
  if (path.up == nullptr) return;
  write(*path.up, with_positions, text);
  if (!path.item) {
    append_key(text, path.key);
  } else if (with_positions) {
    text += "[" + std::to_string(path.index) + "]";
  }
}

const Json* member(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

constexpr std::string_view kWordRule =
    "lower-case letters, digits and \"-\", and begins and ends with a letter or digit";

enum class NameRule { subdomain, label, label_1035, path_segment, free };

struct KindName {
  std::string_view group;
  std::string_view kind;
  NameRule rule;
};

NameRule name_rule(const ObjectKey& key) {
  static constexpr KindName kRules[] = {
      {"", "Namespace", NameRule::label},
      {"", "Service", NameRule::label_1035},
      {"rbac.authorization.k8s.io", "Role", NameRule::path_segment},
      {"rbac.authorization.k8s.io", "RoleBinding", NameRule::path_segment},
      {"rbac.authorization.k8s.io", "ClusterRole", NameRule::path_segment},
      {"rbac.authorization.k8s.io", "ClusterRoleBinding", NameRule::path_segment},
      {"apiregistration.k8s.io", "APIService", NameRule::path_segment},
      {"certificates.k8s.io", "CertificateSigningRequest", NameRule::free},
      {"certificates.k8s.io", "ClusterTrustBundle", NameRule::free},
      {"networking.k8s.io", "IPAddress", NameRule::free},
      {"policy", "PodDisruptionBudget", NameRule::free},
  };
  for (const KindName& rule : kRules) {
    if (rule.group == key.group() && rule.kind == key.kind) return rule.rule;
  }
  return NameRule::subdomain;
}

/// What is wrong with a name, or "".
std::string name_problem(const ObjectKey& key, const std::string& name) {
  switch (name_rule(key)) {
    case NameRule::label:
      if (is_dns_label(name)) return {};
      return "a name has at most 63 characters of " + std::string(kWordRule);
    case NameRule::label_1035:
      if (is_dns_1035_label(name)) return {};
      return "the name has at most 63 lower-case letters, digits and \"-\", and begins with a "
             "letter";
    case NameRule::path_segment:
      if (name != "." && name != ".." && name.find_first_of("/%") == name.npos) return {};
      return "the name must not be \".\" or \"..\" nor hold \"/\" or \"%\"";
    case NameRule::free: return {};
    case NameRule::subdomain: break;
  }
  if (!is_dns_subdomain(name)) {
    return "a name has at most 253 characters of " + std::string(kWordRule) +
           ", in parts with dots";
  }
  constexpr std::size_t kCronJobName = 52;  // its jobs add eleven characters
  if (key.kind == "CronJob" && name.size() > kCronJobName)
    return "a CronJob's name has at most 52 characters";
  return {};
}

void judge_name(const Json& metadata, Report& report) {
  const Path root;
  const Path path = root.to("metadata");
  const Json* name = member(metadata, "name");
  const bool empty =
      name == nullptr || (name->is_string() && name->get_ref<const std::string&>().empty());
  if (empty) {
    const bool generated = member(metadata, "generateName") != nullptr;
    report.add(path, {"metadata.name", "the object has no name",
                      generated ? "apply cannot use generateName: write a name" : ""});
    return;
  }
  if (!name->is_string()) return;  // the walk says so
  const std::string text = name->get<std::string>();
  const std::string problem = name_problem(report.manifest().key, text);
  if (!problem.empty()) {
    report.add(path.to("name"),
               {"metadata.name", "\"" + printable(text, 80) + "\": " + problem, "", text});
  }
}

void judge_keys(const Json& object, Report& report) {
  const ObjectKey& key = report.manifest().key;
  if (!key.group().empty() || (key.kind != "ConfigMap" && key.kind != "Secret")) return;
  const Path root;
  std::size_t bytes = 0;
  for (const char* part : {"data", "binaryData", "stringData"}) {
    const Json* data = member(object, part);
    if (data == nullptr || !data->is_object()) continue;
    const Path path = root.to(part);
    for (const auto& [name, value] : data->items()) {
      if (value.is_string()) bytes += value.get_ref<const std::string&>().size();
      if (is_config_key(name)) continue;
      report.add(path.to(name),
                 {"schema.key", "a key has at most 253 letters, digits, \"-\", \"_\" and \".\""});
    }
  }
  constexpr std::size_t kMost = 1U << 20U;
  if (bytes > kMost + kMost / 2) {  // base64 makes a Secret longer than what counts
    report.add(root, {"metadata.size",
                      "data of " + std::to_string(bytes) + " bytes, at most 1 MiB is stored"});
  }
}

}  // namespace

std::string Path::field() const {
  std::string text;
  write(*this, true, text);
  return text;
}

std::string Path::shape() const {
  std::string text;
  write(*this, false, text);
  return text;
}

void Report::add(const Path& path, Finding finding) {
  if (full()) return;
  Verdict verdict;
  verdict.effect = finding.effect;
  verdict.rule = std::move(finding.rule);
  verdict.object = manifest_.key.title();
  verdict.field = path.field();
  verdict.message = std::move(finding.message);
  verdict.hint = std::move(finding.hint);
  verdict.subject = std::move(finding.subject);
  verdicts_.push_back(std::move(verdict));
}

std::string Report::against() const {
  return "(" + manifest_.key.api_version + ", " + version_ + ")";
}

std::string Report::shown(const Json& value, std::string_view instead) const {
  if (tainted() || value.is_structured()) return std::string(instead);
  if (value.is_string()) return "\"" + printable(value.get<std::string>(), 80) + "\"";
  return value.dump();
}

void judge_labels(const Json& labels, const Path& path, Report& report) {
  if (!labels.is_object()) return;
  for (const auto& [key, value] : labels.items()) {
    const Path here = path.to(key);
    if (!is_qualified_name(key)) {
      report.add(here, {"metadata.label", "\"" + printable(key, 80) + "\" is no label key",
                        "a key looks like name or example.org/name"});
    }
    if (value.is_string() && !is_label_value(value.get<std::string>())) {
      report.add(here, {"metadata.label", report.shown(value, "the value") + " is no label value",
                        "at most 63 letters, digits, \"-\", \"_\" and \".\""});
    }
  }
}

void judge_metadata(const Json& metadata, const Path& path, Report& report) {
  if (const Json* labels = member(metadata, "labels"))
    judge_labels(*labels, path.to("labels"), report);
  const Json* annotations = member(metadata, "annotations");
  if (annotations == nullptr || !annotations->is_object()) return;
  const Path here = path.to("annotations");
  std::size_t bytes = 0;
  for (const auto& [key, value] : annotations->items()) {
    bytes += key.size() + (value.is_string() ? value.get_ref<const std::string&>().size() : 0);
    if (!is_qualified_name(lower(key))) {
      report.add(here.to(key),
                 {"metadata.annotation", "\"" + printable(key, 80) + "\" is no annotation key",
                  "a key looks like name or example.org/name"});
    }
  }
  constexpr std::size_t kMost = 256U << 10U;
  if (bytes > kMost) {
    report.add(here, {"metadata.annotation",
                      std::to_string(bytes) + " bytes of annotations, at most 262144 fit"});
  }
}

void judge_object(const Json& object, bool namespaced, Report& report) {
  static const Json kNone = Json::object();
  const Json* found = member(object, "metadata");
  const Json& metadata = found == nullptr || !found->is_object() ? kNone : *found;
  const Path root;
  const Path path = root.to("metadata");
  judge_name(metadata, report);
  judge_metadata(metadata, path, report);
  const Json* managed = member(metadata, "managedFields");
  if (managed != nullptr && !managed->empty()) {
    report.add(path.to("managedFields"),
               {"metadata.managed", "apply takes no managedFields", "leave the key out"});
  }
  if (!namespaced && member(metadata, "namespace") != nullptr) {
    report.add(
        path.to("namespace"),
        {"metadata.namespace", report.manifest().key.kind + " has no namespace: the key is ignored",
         "leave the key out", "", Effect::warn});
  }
  const Json* finalizers = member(metadata, "finalizers");
  if (finalizers != nullptr && finalizers->is_array()) {
    const Path here = path.to("finalizers");
    for (std::size_t at = 0; at < finalizers->size(); ++at) {
      const Json& name = (*finalizers)[at];
      if (!name.is_string() || is_qualified_name(name.get<std::string>())) continue;
      report.add(here.at(at),
                 {"metadata.finalizer", report.shown(name, "the value") + " is no finalizer name"});
    }
  }
  judge_keys(object, report);
}

}  // namespace plumb::plan::shape
