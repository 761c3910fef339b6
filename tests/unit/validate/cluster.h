#pragma once
/// A cluster's schema and objects written as YAML.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "source_dir.h"
#include <nlohmann/json.hpp>

#include "drivers/json/json.h"
#include "drivers/yaml/yaml.h"
#include "plan/validate.h"
#include "tests/support/catch.h"
#include "tests/support/must.h"

namespace plumb::test {

inline std::string whole_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

using Schema = std::shared_ptr<const plan::ClusterSchema>;

/// From a folder of openapi-*.json and discovery-*.json.
inline Schema schema_of(const std::filesystem::path& folder) {
  std::vector<std::string> documents;
  std::vector<std::string> discovery;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name.rfind("openapi-", 0) == 0) documents.push_back(whole_file(entry.path()));
    if (name.rfind("discovery-", 0) == 0) discovery.push_back(whole_file(entry.path()));
  }
  return must(plan::ClusterSchema::compile(documents, discovery, "1.34"));
}

/// The trimmed documents of kube-apiserver 1.34.4 that lie beside this file.
inline Schema trimmed_schema() {
  static const Schema kSchema = schema_of(PLUMB_SOURCE_DIR "/tests/unit/validate/data");
  return kSchema;
}

inline Manifest manifest_of(const nlohmann::json& object) {
  Manifest manifest;
  manifest.json = json::canonical(object);
  manifest.key.api_version = object.value("apiVersion", "");
  manifest.key.kind = object.value("kind", "");
  const nlohmann::json metadata = object.value("metadata", nlohmann::json::object());
  if (metadata.is_object() && metadata.contains("name") && metadata["name"].is_string()) {
    manifest.key.name = metadata["name"];
  }
  manifest.tainted = manifest.key.kind == "Secret";
  return manifest;
}

inline Manifest object(std::string_view yaml) {
  const std::vector<yaml::Document> documents = must(yaml::parse_all(yaml, "a.yaml"));
  REQUIRE(documents.size() == 1);
  return manifest_of(*documents[0].value);
}

inline std::vector<Verdict> judge(std::string_view yaml, const Schema& schema = trimmed_schema()) {
  return schema->judge(object(yaml));
}

/// The only finding about an object.
inline Verdict only(const std::vector<Verdict>& verdicts) {
  for (const Verdict& verdict : verdicts) {
    UNSCOPED_INFO(verdict.rule << " " << verdict.field << ": " << verdict.message);
  }
  REQUIRE(verdicts.size() == 1);
  return verdicts[0];
}

}  // namespace plumb::test
