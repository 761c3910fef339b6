#pragma once
/// What must hold for every input of the YAML reader; the fuzzer and a plain test both run it.
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "drivers/json/json.h"
#include "drivers/yaml/yaml.h"

namespace plumb::test {

/// "" or the promise that this input breaks. A crash or a hang is for the caller to see.
inline std::string yaml_promise_broken(std::string_view text) {
  yaml::Limits limits;
  limits.max_bytes = 64U << 10U;
  limits.max_nodes = 20'000;
  const Result<std::vector<yaml::Document>> documents = yaml::parse_all(text, "f.yaml", limits);
  if (!documents) {
    if (documents.error().code != Errc::invalid) return "an error that is not the author's";
    if (documents.error().message.empty()) return "an error without a message";
    if (documents.error().where.rfind("f.yaml", 0) != 0) return "an error without a place";
    if (!is_utf8(documents.error().message)) return "a message that is no text";
    return {};
  }
  for (const yaml::Document& document : *documents) {
    const std::string canonical = json::canonical(*document.value);
    const Result<nlohmann::json> again = json::parse(canonical);
    if (!again) return "a value that is not JSON: " + again.error().message;
    if (json::canonical(*again) != canonical) return "a value that reads back differently";
    if (document.marks.at("").line < 1 && text.find('{') == text.npos)
      return "a document without a line";
  }
  return {};
}

}  // namespace plumb::test
