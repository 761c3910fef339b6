#include "plan/schema_limits.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/text.h"
#include "plan/schema_values.h"

namespace plumb::plan::shape {
namespace {

std::size_t runes(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

/// "10" for 10.0, as a person would write it.
std::string plain(double number) {
  return Json(number == std::floor(number) && std::abs(number) < 1e15
                  ? Json(static_cast<std::int64_t>(number))
                  : Json(number))
      .dump();
}

void check_integer(bool narrow, const Json& value, const Path& path, Report& report) {
  const double number = value.get<double>();
  const bool wide = (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) ||
                    number >= 9223372036854775808.0 || number < -9223372036854775808.0;
  const bool too_large = narrow ? number > INT32_MAX || number < INT32_MIN : wide;
  if (!too_large) return;
  report.add(path, {"schema.range", report.shown(value, "the value") + " does not fit in " +
                                        (narrow ? "32" : "64") + " bits"});
}

void check_format(const std::string& format,
                  const std::string& text,
                  const Path& path,
                  Report& report) {
  if (format.empty() || !breaks_format(format, text)) return;
  report.add(path, {"schema.format", report.shown(Json(text), "the value") + " is no " + format});
}

/// The way from a node to a property of that name, at most `depth` levels down; "" if there is
/// none.
std::string way_down(const Node& node, const std::string& key, int depth) {
  for (const Property& property : node.properties) {
    if (property.node->find(key) != nullptr) return property.name;
  }
  if (depth <= 1) return {};
  for (const Property& property : node.properties) {
    const std::string rest = way_down(*property.node, key, depth - 1);
    if (!rest.empty()) return property.name + "." + rest;
  }
  return {};
}

}  // namespace

void check_scalar(const Node& node, const Json& value, const Path& path, Report& report) {
  const bool whole = node.type == NodeType::integer || node.type == NodeType::int_or_string;
  if (value.is_number() && whole) {
    // Built-in int-or-string holds 32 bits, a custom one any integer.
    const bool narrow = node.narrow || (node.type == NodeType::int_or_string && !node.custom);
    check_integer(narrow, value, path, report);
  }
  if (!value.is_string()) return;
  const std::string& text = value.get_ref<const std::string&>();
  if (node.type == NodeType::quantity && !is_quantity(text)) {
    report.add(path, {"schema.quantity", report.shown(value, "the value") + " is no quantity",
                      "quantities look like 500m, 1.5, 64Mi or 2Gi"});
  }
  if (node.type == NodeType::time && !is_time(text)) {
    report.add(path, {"schema.format", report.shown(value, "the value") + " is no time",
                      "times look like 2026-01-02T03:04:05Z"});
  }
  if (node.type == NodeType::bytes && !is_base64(text)) {
    report.add(path,
               {"schema.format", "the value is no base64",
                report.manifest().key.kind == "Secret" ? "plain text goes under stringData" : ""});
  }
  if (node.custom && node.type == NodeType::text) check_format(node.format, text, path, report);
}

void check_choice(const Node& node, const Json& value, const Path& path, Report& report) {
  if (std::find(node.choices.begin(), node.choices.end(), value) != node.choices.end()) return;
  // Built-in kinds read "" as "not set" and fill in the default.
  if (!node.custom && value == Json("")) return;
  std::string list;
  std::vector<std::string> words;
  for (const Json& choice : node.choices) {
    if (list.size() < 200) list += (list.empty() ? "" : ", ") + choice.dump();
    if (choice.is_string()) words.push_back(choice.get<std::string>());
  }
  Report::Finding finding{"schema.enum",
                          report.shown(value, "the value") + " is not one of " + list};
  if (value.is_string() && !report.tainted()) {
    const std::optional<std::string> near = nearest(value.get<std::string>(), words);
    if (near) finding.hint = "did you mean \"" + *near + "\"?";
    finding.subject = value.get<std::string>();
  }
  report.add(path, std::move(finding));
}

void check_limits(const Limits& limits, const Json& value, const Path& path, Report& report) {
  const auto broken = [&](const char* rule, const std::string& what) {
    report.add(path, {rule, report.shown(value, "the value") + " " + what});
  };
  if (value.is_number()) {
    const double number = value.get<double>();
    const double low = limits.minimum.value_or(-INFINITY);
    const double high = limits.maximum.value_or(INFINITY);
    if (number < low || (limits.exclusive_minimum && number == low)) {
      broken("schema.range",
             (limits.exclusive_minimum ? "must be more than " : "must be at least ") + plain(low));
    }
    if (number > high || (limits.exclusive_maximum && number == high)) {
      broken("schema.range",
             (limits.exclusive_maximum ? "must be less than " : "must be at most ") + plain(high));
    }
    const double step = limits.multiple_of.value_or(0);
    if (step > 0 && std::abs(std::remainder(number, step)) > 1e-9) {
      broken("schema.range", "must be a multiple of " + plain(step));
    }
  }
  const auto count = [&](std::size_t size, std::optional<std::size_t> least,
                         std::optional<std::size_t> most, const char* unit) {
    const std::string has = std::to_string(size) + " " + unit;
    if (least && size < *least) {
      report.add(path, {"schema.range", has + ", at least " + std::to_string(*least) + " wanted"});
    }
    if (most && size > *most) {
      report.add(path, {"schema.range", has + ", at most " + std::to_string(*most) + " allowed"});
    }
  };
  if (value.is_string()) {
    const std::string& text = value.get_ref<const std::string&>();
    count(runes(text), limits.min_length, limits.max_length, "characters");
    if (limits.regex && !re2::RE2::PartialMatch(text, *limits.regex)) {
      broken("schema.format", "does not match " + printable(limits.pattern));
    }
  }
  if (value.is_array()) {
    count(value.size(), limits.min_items, limits.max_items, "items");
    std::set<std::string> seen;
    for (const Json& item : value) {
      if (!limits.unique_items || seen.insert(item.dump()).second) continue;
      report.add(path, {"schema.duplicate", "the same item twice in a list of unique items"});
      break;
    }
  }
  if (value.is_object()) count(value.size(), limits.min_properties, limits.max_properties, "keys");
}

std::string unknown_hint(const Node& node, const std::string& key, const std::string& above) {
  const std::vector<std::string> names = node.property_names();
  if (const std::optional<std::string> near = nearest(key, names)) {
    return "did you mean \"" + *near + "\"?";
  }
  if (const std::string way = way_down(node, key, 3); !way.empty()) {
    return "it belongs in " + (above.empty() ? "" : above + ".") + way;
  }
  constexpr std::size_t kFew = 6;
  if (names.empty() || names.size() > kFew) return {};
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return "keys here: " + list;
}

bool server_fills(const Node& node, std::string_view key) {
  // The server cannot tell a boolean that is left out from false.
  const Property* property = node.find(key);
  if (property != nullptr && property->node->type == NodeType::boolean) return true;
  struct Filled {
    std::string_view component;
    std::string_view key;
  };
  static constexpr Filled kFilled[] = {
      {"io.k8s.api.apps.v1.ControllerRevision", "revision"},
      {"io.k8s.api.apps.v1.StatefulSetSpec", "serviceName"},
      {"io.k8s.api.core.v1.HTTPHeader", "value"},
      {"io.k8s.api.core.v1.ISCSIPersistentVolumeSource", "lun"},
      {"io.k8s.api.core.v1.ISCSIVolumeSource", "lun"},
      {"io.k8s.api.core.v1.LimitRangeSpec", "limits"},
      {"io.k8s.api.core.v1.SleepAction", "seconds"},
      {"io.k8s.api.core.v1.Sysctl", "value"},
      {"io.k8s.api.discovery.v1.EndpointSlice", "endpoints"},
      {"io.k8s.api.rbac.v1.RoleRef", "apiGroup"},
      {"io.k8s.api.resource.v1.DeviceClass", "spec"},
      {"io.k8s.api.resource.v1.ResourceClaim", "spec"},
      {"io.k8s.api.scheduling.v1.PriorityClass", "value"},
      {"io.k8s.api.storage.v1.CSIDriver", "spec"},
      {"io.k8s.api.storage.v1.TokenRequest", "audience"},
  };
  return std::any_of(std::begin(kFilled), std::end(kFilled), [&](const Filled& filled) {
    return filled.component == node.component && filled.key == key;
  });
}

}  // namespace plumb::plan::shape
