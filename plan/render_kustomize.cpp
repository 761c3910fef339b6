#include <map>
#include <utility>

#include <nlohmann/json.hpp>

#include "drivers/json/json.h"
#include "plan/render_parts.h"

namespace plumb::plan {
namespace {

using Json = nlohmann::json;

/// The lines at which a file's objects and generators begin, by "Kind name".
using Lines = std::map<std::string, int>;

std::string member(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

void note_objects(const yaml::Document& document, Lines& lines) {
  std::vector<GivenObject> objects;
  const auto mark = document.marks.at("");
  add_given(std::make_unique<Json>(*document.value), &document.marks, {"", mark.line, 0}, objects);
  for (const GivenObject& object : objects) {
    const Json& value = *object.value;
    if (!value.is_object() || !value.contains("metadata")) continue;
    std::string kind = member(value, "kind");
    if (kind.ends_with("Generator")) kind.resize(kind.size() - 9);  // one in a file of its own
    lines.emplace(kind + " " + member(value["metadata"], "name"), object.place.line);
  }
}

void note_generators(const yaml::Document& document, Lines& lines) {
  static constexpr std::pair<const char*, const char*> kGenerators[] = {
      {"configMapGenerator", "ConfigMap"}, {"secretGenerator", "Secret"}};
  if (!document.value->is_object()) return;
  for (const auto& [key, kind] : kGenerators) {
    const auto list = document.value->find(key);
    if (list == document.value->end() || !list->is_array()) continue;
    for (std::size_t i = 0; i < list->size(); ++i) {
      const auto mark = document.marks.at("/" + std::string(key) + "/" + std::to_string(i));
      lines.emplace(std::string(kind) + " " + member((*list)[i], "name"), mark.line);
    }
  }
}

/// Finds where an object stands. A file that we cannot read gives no line: it could be rendered, so
/// that is no reason to refuse it.
class Places {
 public:
  explicit Places(TreeSource& source) : source_(source) {}

  Place of(const EngineObject& object) {
    if (object.origin_path.empty()) return {};
    const auto [file, fresh] = files_.try_emplace(object.origin_path);
    if (fresh) file->second = lines_of(object.origin_path);
    const auto line = file->second.find(object.origin_kind + " " + object.origin_name);
    return {object.origin_path, line == file->second.end() ? 0 : line->second, 0};
  }

 private:
  Lines lines_of(const std::string& path) {
    Lines lines;
    const auto text = source_.read(path);
    if (!text) return lines;
    const auto documents = yaml::parse_all(*text, path);
    if (!documents) return lines;
    const bool generates = is_kustomization(path.substr(path.rfind('/') + 1));
    for (const yaml::Document& document : *documents) {
      if (generates) {
        note_generators(document, lines);
      } else {
        note_objects(document, lines);
      }
    }
    return lines;
  }

  TreeSource& source_;
  std::map<std::string, Lines> files_;
};

}  // namespace

Result<> build_kustomize(const Application& application,
                         TreeSource& source,
                         EnginePool& engines,
                         std::vector<GivenObject>& objects,
                         std::vector<Verdict>& verdicts) {
  auto built = engines.kustomize(application.id.project, application.path, source);
  if (!built && built.error().code == Errc::invalid) {
    const Closure read = source.take_closure();
    verdicts.push_back(explain_failure(application, built.error().message, read, source));
    return {};
  }
  Places places(source);
  for (const EngineObject& object : TRY(std::move(built))) {
    auto value = json::parse(object.json);
    if (!value) {
      return Failure(std::move(value).error().during("read what kustomize rendered"));
    }
    add_given(std::make_unique<Json>(*std::move(value)), nullptr, places.of(object), objects);
  }
  return {};
}

}  // namespace plumb::plan
