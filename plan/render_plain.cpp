#include <utility>

#include <nlohmann/json.hpp>

#include "config/documents.h"
#include "core/text.h"
#include "plan/render_parts.h"

namespace plumb::plan {
namespace {

class PlainReader {
 public:
  PlainReader(const Application& application,
              TreeSource& source,
              std::vector<GivenObject>& objects,
              std::vector<Verdict>& verdicts)
      : application_(application), source_(source), objects_(objects), verdicts_(verdicts) {}

  Result<> folder(const std::string& path) {
    for (const TreeSource::Name& entry : TRY(source_.list(path))) {
      const std::string below = path.empty() ? entry.name : path + "/" + entry.name;
      if (entry.type == TreeSource::Found::Type::folder) {
        if (application_.recurse && TRY(is_real_folder(entry.name, below))) TRY(folder(below));
      } else if (is_manifest_file(entry.name) && below != "plumbline.yaml") {
        TRY(file(below, entry.broken));
      }
    }
    return {};
  }

 private:
  /// As `kubectl apply -R`: links to folders are not followed, so nothing is read twice or for
  /// ever.
  Result<bool> is_real_folder(const std::string& name, const std::string& path) {
    if (name.starts_with('.')) return false;
    const auto found = TRY(source_.look(path));
    return found && found->path == path;
  }

  Result<> file(const std::string& path, bool broken) {
    auto text = source_.read(path);
    if (!text) {
      if (text.error().code != Errc::invalid) return Failure(std::move(text).error());
      Verdict verdict = config::yaml_verdict(text.error(), path);
      if (broken && verdict.message.ends_with("does not exist"))
        verdict.message = "'" + printable(path) + "' is a symbolic link to nothing";
      deny(std::move(verdict), "file.unreadable");
      return {};
    }
    auto documents = yaml::parse_all(*text, path);
    if (!documents) {
      deny(config::yaml_verdict(documents.error(), path));
      return {};
    }
    if (is_kustomization(path.substr(path.rfind('/') + 1))) return kustomization(path);
    for (yaml::Document& document : *documents) {
      if (document.value->is_null()) continue;
      const auto mark = document.marks.at("");
      const int line = mark.line > 0 ? mark.line : document.line;
      add_given(std::move(document.value), &document.marks, {path, line, 0}, objects_);
    }
    return {};
  }

  Result<> kustomization(const std::string& path) {
    Verdict verdict;
    verdict.place.file = path;
    verdict.message = "a kustomization is no Kubernetes object, and engine plain does not build it";
    verdict.hint = "leave out  engine: plain  and  recurse , or move it away";
    deny(std::move(verdict), "object.kind");
    return {};
  }

  void deny(Verdict verdict, const std::string& rule = {}) {
    if (!rule.empty()) verdict.rule = rule;
    verdict.application = application_.id.to_string();
    verdicts_.push_back(std::move(verdict));
  }

  const Application& application_;
  TreeSource& source_;
  std::vector<GivenObject>& objects_;
  std::vector<Verdict>& verdicts_;
};

}  // namespace

bool is_kustomization(std::string_view file_name) {
  return file_name == "kustomization.yaml" || file_name == "kustomization.yml" ||
         file_name == "Kustomization";
}

bool is_manifest_file(std::string_view file_name) {
  return file_name.ends_with(".yaml") || file_name.ends_with(".yml") ||
         file_name.ends_with(".json");
}

Result<> read_plain(const Application& application,
                    TreeSource& source,
                    std::vector<GivenObject>& objects,
                    std::vector<Verdict>& verdicts) {
  return PlainReader(application, source, objects, verdicts).folder(application.path);
}

}  // namespace plumb::plan
