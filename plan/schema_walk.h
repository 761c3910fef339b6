#pragma once
/// Walks one object against one schema and reports everything that the API server's server-side
/// apply would refuse.
#include <string>
#include <string_view>
#include <vector>

#include "core/manifest.h"
#include "core/verdict.h"
#include "plan/schema_model.h"

namespace plumb::plan::shape {

/// The way down to a value; lives on the stack of the walk, so that only an error costs a string.
struct Path {
  const Path* up = nullptr;
  std::string_view key{};
  std::size_t index = 0;
  bool item = false;

  [[nodiscard]] Path to(std::string_view name) const { return {this, name, 0, false}; }
  [[nodiscard]] Path at(std::size_t position) const { return {this, {}, position, true}; }
  /// `spec.containers[0].image`, `metadata.labels["a.b/c"]`; "" for the object itself.
  [[nodiscard]] std::string field() const;
  /// The same without positions: `spec.containers.image`.
  [[nodiscard]] std::string shape() const;
};

/// Collects the verdicts of one object.
class Report {
 public:
  static constexpr std::size_t kMost = 50;

  Report(const Manifest& manifest, std::string version)
      : manifest_(manifest), version_(std::move(version)) {}

  struct Finding {
    std::string rule;
    std::string message;
    std::string hint{};
    std::string subject{};
    Effect effect = Effect::deny;
  };
  void add(const Path& path, Finding finding);

  [[nodiscard]] bool full() const { return verdicts_.size() >= kMost; }
  [[nodiscard]] bool tainted() const { return manifest_.tainted; }
  [[nodiscard]] const Manifest& manifest() const { return manifest_; }
  /// "(apps/v1, 1.34)"
  [[nodiscard]] std::string against() const;
  [[nodiscard]] std::vector<Verdict> take() { return std::move(verdicts_); }
  [[nodiscard]] bool clean() const { return verdicts_.empty(); }
  /// A value in quotes, or `instead` when values must not be shown.
  [[nodiscard]] std::string shown(const Json& value, std::string_view instead) const;

 private:
  const Manifest& manifest_;
  std::string version_;
  std::vector<Verdict> verdicts_;
};

/// `object_meta` types the metadata of embedded objects; may be null.
void walk(const Node& root, const Json& object, const Node* object_meta, Report& report);

/// Name, namespace, labels, annotations, data keys: what no schema holds. `namespaced`: the kind's
/// scope.
void judge_object(const Json& object, bool namespaced, Report& report);
/// What the server's code checks for its own kinds: selectors, ports, volumes, requests and limits.
void judge_native(const Json& object, Report& report);
/// Labels and annotations of one metadata mapping.
void judge_metadata(const Json& metadata, const Path& path, Report& report);
void judge_labels(const Json& labels, const Path& path, Report& report);

}  // namespace plumb::plan::shape
