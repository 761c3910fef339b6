#pragma once
/// Documents of plumbline.dev/v1 that live in Git. Schema: config/schema/application.v1.json.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/server_config.h"
#include "core/application.h"
#include "core/verdict.h"

namespace plumb::config {

/// Where an Application says what it targets; the document's own place for what it leaves out.
struct TargetPlaces {
  Place path;
  Place cluster;
  Place ns;
};

struct ParsedDocuments {
  std::vector<Application> applications;  ///< valid ones; defaults from the binding are filled in
  std::vector<TargetPlaces> places;       ///< of each application
  std::vector<Verdict>
      verdicts;  ///< deny each: bad YAML, unknown key (with the nearest), bad value
};

/// Parses one file's documents. Does not check rights (plan/discover does).
[[nodiscard]] ParsedDocuments parse_documents(std::string_view text,
                                              const std::string& file,
                                              const RepositoryBinding& binding);

/// What is wrong with a YAML file as an Error of drivers/yaml says it: rule and place. `file` is
/// the one that was parsed.
[[nodiscard]] Verdict yaml_verdict(const Error& error, const std::string& file);

/// The published JSON Schema of Application documents.
[[nodiscard]] std::string_view application_schema();

}  // namespace plumb::config
