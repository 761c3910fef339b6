/// Checks files before anybody depends on them.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>

#include <nlohmann/json.hpp>

#include "config/documents.h"
#include "config/server_config.h"
#include "console/offline.h"
#include "console/verb.h"
#include "core/text.h"
#include "drivers/json/fields.h"
#include "drivers/yaml/yaml.h"

namespace plumb::console {
namespace {

using Json = nlohmann::json;
using Kind = Argument::Kind;

constexpr std::size_t kMostBytes = 8U << 20U;

Result<std::string> read_file(const std::string& path, const std::string& typed) {
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    return fail(Errc::invalid, "'" + printable(typed) + "' does not exist");
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path, error))
    return fail(Errc::invalid, "'" + printable(typed) + "' cannot be read");
  std::string text(kMostBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMostBytes)
    return fail(Errc::invalid, "'" + printable(typed) + "' is larger than 8 MB");
  return text;
}

/// A server's file says so; one that is no YAML is told by its name.
bool is_server_file(const std::string& text, const std::string& path) {
  const auto documents = yaml::parse_all(text, path);
  if (!documents) return std::filesystem::path(path).filename() == "plumbd.yaml";
  for (const auto& document : *documents) {
    if (json::text(*document.value, "kind") == "Application") return false;
    if (json::text(*document.value, "kind") == "Server") return true;
    if (json::object(*document.value, "spec").contains("clusters")) return true;
  }
  return std::filesystem::path(path).filename() == "plumbd.yaml";
}

struct Problem {
  std::string where, message, hint;
};

std::vector<Problem> problems_of(const std::string& text,
                                 const std::string& path,
                                 const std::string& typed,
                                 bool server) {
  std::vector<Problem> problems;
  if (server) {
    for (auto& one : config::check_server_config(path))
      problems.push_back({one.where, one.message, one.hint});
    return problems;
  }
  config::RepositoryBinding anything;
  anything.clusters = {"default"};
  for (auto& one : config::parse_documents(text, typed, anything).verdicts) {
    problems.push_back({one.place.to_string(), one.message, one.hint});
  }
  return problems;
}

std::string good_text(const std::string& file, bool server) {
  return shown(file) + " is a good " + (server ? "server file" : "file of applications") + "\n";
}

Result<int> check(const Typed& typed, Console& console) {
  if (typed.has("--schema")) {
    console.out << config::application_schema();
    return kYes;
  }
  const std::string file = typed.text("FILE");
  if (file.empty())
    return fail(Errc::invalid, "FILE is missing", "", "plumb config check plumbd.yaml");
  const std::string path = (std::filesystem::path(console.folder) / file).string();
  const std::string text = TRY(read_file(path, file));
  const bool server = is_server_file(text, path);
  const auto problems = problems_of(text, path, file, server);
  Json list = Json::array();
  for (const Problem& problem : problems) {
    list.push_back(
        {{"where", problem.where}, {"message", problem.message}, {"hint", problem.hint}});
    console.err << error_text({Errc::invalid, problem.message, problem.where, problem.hint});
  }
  if (!problems.empty())
    console.err << count_of(static_cast<std::int64_t>(problems.size()), "problem") << "\n";
  const Json document{
      {"file", file}, {"kind", server ? "Server" : "Application"}, {"problems", std::move(list)}};
  return answer(
      console, document,
      [&](const Json&, const Style&) {
        return problems.empty() ? good_text(file, server) : std::string();
      },
      problems.empty() ? kYes : kWrongUse);
}

}  // namespace

std::vector<Verb> config_verbs() {
  return {{"config check",
           "Without a server",
           "every problem of a server's file or a plumbline.yaml, with its line",
           {{Kind::maybe_word, "FILE", "plumbd.yaml, plumbline.yaml or a file of .plumbline/"},
            {Kind::flag, "--schema", "print the JSON Schema of applications, for editors"}},
           {"config check /etc/plumbline/plumbd.yaml", "config check plumbline.yaml",
            "config check --schema >application.json"},
           check}};
}

}  // namespace plumb::console
