#include "receiver/metrics.h"

#include "core/text.h"

namespace plumb::receiver {
namespace {

/// json_escaped also escapes what Prometheus must see escaped: quotes, backslashes, line ends.
std::string label(std::string_view name, std::string_view value) {
  return std::string(name) + "=\"" + json_escaped(printable(value, 100)) + "\"";
}

void add_family(std::string& text,
                std::string_view name,
                std::string_view type,
                std::string_view help) {
  text += "# HELP " + std::string(name) + " " + std::string(help) + "\n";
  text += "# TYPE " + std::string(name) + " " + std::string(type) + "\n";
}

void add_gauges(std::string& text,
                const std::string& name,
                std::string_view help,
                std::string_view by,
                const std::map<std::string, std::int64_t>& values) {
  add_family(text, name, "gauge", help);
  for (const auto& [value, count] : values) {
    text += name + "{" + label(by, value) + "} " + std::to_string(count) + "\n";
  }
}

}  // namespace

void Metrics::count(std::string_view forge, std::string_view result) {
  counts_.with([&](auto& counts) { ++counts[{std::string(forge), std::string(result)}]; });
}

std::map<std::pair<std::string, std::string>, std::int64_t> Metrics::counts() const {
  return counts_.with([](const auto& counts) { return counts; });
}

std::string metrics_text(const Metrics& metrics, const Gauges* gauges, std::string_view version) {
  std::string text;
  add_family(text, "plumb_build_info", "gauge", "1, with the version that runs");
  text += "plumb_build_info{" + label("version", version) + "} 1\n";
  add_family(text, "plumb_deliveries_total", "counter",
             "deliveries of forges by what came of them");
  for (const auto& [key, count] : metrics.counts()) {
    text += "plumb_deliveries_total{" + label("forge", key.first) + "," +
            label("result", key.second) + "} " + std::to_string(count) + "\n";
  }
  if (gauges == nullptr) return text;
  add_gauges(text, "plumb_jobs", "jobs by state", "state", gauges->jobs);
  add_gauges(text, "plumb_apps", "applications by health", "health", gauges->applications);
  return text;
}

}  // namespace plumb::receiver
