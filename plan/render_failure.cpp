#include <algorithm>
#include <array>
#include <utility>

#include <nlohmann/json.hpp>
#include <re2/re2.h>

#include "config/documents.h"
#include "core/scrub.h"
#include "core/text.h"
#include "plan/render_parts.h"
#include "plan/schema_values.h"

namespace plumb::plan {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLongestMessage = 300;

const std::vector<std::string>& kustomization_keys() {
  static const std::vector<std::string> keys{"apiVersion",
                                             "kind",
                                             "metadata",
                                             "resources",
                                             "components",
                                             "crds",
                                             "namePrefix",
                                             "nameSuffix",
                                             "namespace",
                                             "labels",
                                             "commonLabels",
                                             "commonAnnotations",
                                             "patches",
                                             "images",
                                             "replicas",
                                             "replacements",
                                             "configMapGenerator",
                                             "secretGenerator",
                                             "generators",
                                             "transformers",
                                             "validators",
                                             "configurations",
                                             "buildMetadata",
                                             "generatorOptions",
                                             "openapi",
                                             "sortOptions",
                                             "patchesJson6902",
                                             "patchesStrategicMerge",
                                             "vars",
                                             "helmCharts",
                                             "helmGlobals"};
  return keys;
}

struct Explained {
  std::string message;
  std::string hint{};
  std::string written{};  ///< as it stands in a kustomization: finds the line
  std::string rule = "render.failed";
};

/// "ConfigMap a" of kustomize's "ConfigMap.v1.[noGrp]/a.[noNs]".
std::string object_name(const std::string& id) {
  std::string kind, name;
  if (!RE2::FullMatch(id, R"(([^./]+)\.[^/]*/(.+)\.[^.]*)", &kind, &name)) return printable(id);
  return kind + " " + printable(name);
}

std::string as_written(const std::string& message) {
  std::string written;
  for (const char* pattern : {R"(resources from '([^']+)')", R"(path\(([^)]+)\))",
                              R"(sources: \[([^\] ]+)\])", R"(Get \\?"([^"\\]+)\\?")"}) {
    // The innermost one: the rest is the way there.
    re2::StringPiece rest(message);
    while (RE2::FindAndConsume(&rest, pattern, &written)) {
    }
    if (!written.empty()) return written;
  }
  return written;
}

/// What is not offered, on purpose.
bool explain_refused(const std::string& message, Explained& into) {
  const std::string written = as_written(message);
  const std::string what = written.empty() ? "" : " '" + printable(written) + "'";
  if (message.starts_with("remote bases are not fetched") ||
      message.starts_with("remote files are not fetched")) {
    into = {"remote base" + what + " is not fetched: a render has no network",
            "copy it into the repository", written};
  } else if (message.starts_with("helmCharts in a kustomization")) {
    into = {"helmCharts in a kustomization are not rendered", "", "helmCharts"};
  } else if (message.starts_with("only kustomize's builtin")) {
    into = {"only kustomize's builtin generators and transformers may run", "", ""};
  } else {
    return false;
  }
  return true;
}

/// Paths that lead to the wrong place, or nowhere.
bool explain_path(const std::string& message, const std::string& folder, Explained& into) {
  const std::string written = as_written(message);
  std::string path, other;
  if (RE2::PartialMatch(message, R"('([^']+)' is outside of the repository)", &path)) {
    into = {"'" + printable(written.empty() ? path : written) + "' is outside of the repository",
            "everything that an application uses must be in its own repository", written};
  } else if (RE2::PartialMatch(
                 message, R"('([^']+)' is a (?:symbolic )?link out of the repository)", &path)) {
    into = {"'" + printable(path) + "' is a symbolic link out of the repository",
            "link to a path inside the repository, relative to the link's folder", written};
  } else if (RE2::PartialMatch(message, R"('([^']+)' goes through too many symbolic links)",
                               &path)) {
    into = {"'" + printable(path) + "' goes through too many symbolic links", "", written};
  } else if (RE2::PartialMatch(message, R"(security; file '([^']+)' is not in or below '([^']*)')",
                               &path, &other)) {
    into = {"'" + printable(path) + "' is not in or below '" + printable(other) + "'",
            "a kustomization reads only its own folder: make the other one a base", written};
  } else if (RE2::PartialMatch(message, R"(unable to find one of .* in directory '([^']*)')",
                               &path)) {
    into = {"'" + printable(path.empty() || path == "." ? folder : path) +
                "' has no kustomization file",
            "write a kustomization.yaml there that lists its resources", written};
  } else if (RE2::PartialMatch(message, R"(cycle detected: candidate root '([^']*)')", &path)) {
    into = {"kustomizations include each other in a loop, by way of '" + printable(path) + "'", "",
            written};
  } else if (RE2::PartialMatch(message, R"(open ([^:']+): file does not exist)", &path)) {
    into = {"'" + printable(path) + "' does not exist", "", written.empty() ? path : written};
  } else {
    return false;
  }
  return true;
}

/// Content that kustomize does not take.
bool explain_content(const std::string& message, Explained& into) {
  std::string one, two;
  if (RE2::PartialMatch(message, R"x(json: unknown field "([^"]+)")x", &one)) {
    const auto near = nearest(one, kustomization_keys());
    into = {"unknown key \"" + printable(one) + "\" in a kustomization",
            near ? "did you mean \"" + *near + "\"?" : "", one + ":"};
  } else if (RE2::PartialMatch(message, R"(cannot unmarshal (\w+) into Go struct field \w+\.(\S+))",
                               &one, &two)) {
    const std::string key = two.substr(two.rfind('.') + 1);
    into = {"\"" + printable(two) + "\" in a kustomization may not be a " + one, "", key + ":"};
  } else if (RE2::PartialMatch(message, R"(already registered id: ([^\s']+))", &one)) {
    into = {object_name(one) + " is there twice", "include its file once", as_written(message),
            "object.duplicate"};
  } else if (RE2::PartialMatch(message, R"(no matches for Id ([^\s;']+))", &one)) {
    std::string name;
    static_cast<void>(RE2::PartialMatch(object_name(one), R"( (\S+)$)", &name));
    into = {"a patch is for " + object_name(one) + ", which is none of the resources", "", name};
  } else if (RE2::PartialMatch(message, R"((missing (?:kind|metadata\.name)[a-z ]*) in object)",
                               &one)) {
    into = {"'" + printable(as_written(message)) + "': " + one + " in an object",
            "a manifest needs apiVersion, kind and metadata.name", as_written(message),
            "object.kind"};
  } else if (message.find("invalid literal source") != std::string::npos) {
    into = {"a literal of a generator is not written as key=value", "", "literals:"};
  } else if (RE2::PartialMatch(message, R"(trouble configuring builtin (\w+))", &one)) {
    into = {"kustomize cannot use this " + one, "look at its patch, path and target", ""};
    if (one == "PatchTransformer") into.written = "patches";
  } else {
    return false;
  }
  return true;
}

std::string name_in(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

/// The files that a failed render had read.
class ReadFiles {
 public:
  ReadFiles(const Closure& read, TreeSource& source) : source_(source) {
    for (const ClosureEntry& entry : read) {
      if (entry.looked == Looked::file) paths_.push_back(entry.path);
    }
  }

  /// The first kustomization, `folder`'s own before others, that has the text on a line.
  Place line_with(const std::string& text, const std::string& folder) {
    if (text.empty()) return {};
    std::vector<std::string> files;
    for (const std::string& path : paths_) {
      if (!is_kustomization(name_in(path))) continue;
      const bool own = path == (folder.empty() ? "" : folder + "/") + name_in(path);
      files.insert(own ? files.begin() : files.end(), path);
    }
    for (const std::string& path : files) {
      const auto content = source_.read(path);
      const auto at = content ? content->find(text) : std::string::npos;
      if (at == std::string::npos) continue;
      const auto line =
          std::count(content->begin(), content->begin() + static_cast<long>(at), '\n');
      return {path, static_cast<int>(line) + 1, 0};
    }
    return {};
  }

  /// The first file that is no YAML, with its own words about it.
  std::optional<Verdict> broken() {
    for (const std::string& path : paths_) {
      if (!is_manifest_file(path) && !is_kustomization(name_in(path))) continue;
      const auto content = source_.read(path);
      if (!content) continue;
      const auto documents = yaml::parse_all(*content, path);
      if (!documents) return config::yaml_verdict(documents.error(), path);
    }
    return std::nullopt;
  }

  /// Every value of a Secret, and of what a secretGenerator reads.
  Scrubber secrets() {
    Scrubber scrubber;
    for (const std::string& path : paths_) {
      const auto content = source_.read(path);
      if (!content) continue;
      if (!is_manifest_file(path) && !is_kustomization(name_in(path))) {
        for (const std::string& line : split(*content, '\n')) add_pair(line, scrubber);
        continue;
      }
      const auto documents = yaml::parse_all(*content, path);
      if (!documents) continue;
      for (const yaml::Document& document : *documents) add_secrets(*document.value, scrubber);
    }
    return scrubber;
  }

 private:
  static void add_pair(const std::string& text, Scrubber& scrubber) {
    const auto equals = text.find('=');
    scrubber.add(equals == std::string::npos ? text : text.substr(equals + 1));
  }

  static void add_secrets(const Json& value, Scrubber& scrubber) {
    if (!value.is_object()) return;
    if (value.value("kind", Json()) == "Secret") {
      for (const char* key : {"data", "stringData"}) add_values(value.value(key, Json()), scrubber);
    }
    for (const Json& item : value.value("items", Json::array())) add_secrets(item, scrubber);
    for (const Json& generator : value.value("secretGenerator", Json::array())) {
      if (!generator.is_object()) continue;
      for (const Json& literal : generator.value("literals", Json::array())) {
        if (literal.is_string()) add_pair(literal.get<std::string>(), scrubber);
      }
    }
  }

  static void add_values(const Json& values, Scrubber& scrubber) {
    for (const Json& value : values) {
      if (!value.is_string()) continue;
      const auto& text = value.get_ref<const std::string&>();
      scrubber.add(text);
      if (shape::is_base64(text)) scrubber.add(shape::from_base64(text));
    }
  }

  TreeSource& source_;
  std::vector<std::string> paths_;
};

/// Without the author's own text, which kustomize quotes between back-ticks: it may hold secrets.
std::string without_quotes(std::string text) {
  RE2::GlobalReplace(&text, "(?s)`[^`]*`", "the one given");
  return text;
}

}  // namespace

Verdict explain_failure(const Application& application,
                        const std::string& message,
                        const Closure& read,
                        TreeSource& source) {
  ReadFiles files(read, source);
  const std::string text = without_quotes(message);
  Verdict verdict;
  Explained explained;
  if (explain_refused(text, explained) || explain_path(text, application.path, explained) ||
      explain_content(text, explained)) {
    verdict.rule = explained.rule;
    verdict.message = explained.message;
    verdict.hint = explained.hint;
    verdict.subject = explained.written;
    verdict.place = files.line_with(explained.written, application.path);
  } else if (auto broken = files.broken()) {
    verdict = *std::move(broken);
  } else {
    verdict.rule = "render.failed";
    verdict.message = text;
  }
  if (verdict.place.file.empty()) {
    verdict.place = {application.path.empty() ? "." : application.path, 0, 0};
  }
  const Scrubber secrets = files.secrets();
  verdict.message = printable(secrets.clean(verdict.message), kLongestMessage);
  verdict.subject = printable(secrets.clean(verdict.subject), kLongestMessage);
  verdict.application = application.id.to_string();
  return verdict;
}

}  // namespace plumb::plan
