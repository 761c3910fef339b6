#include "plan/locate.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>
#include <re2/re2.h>

#include "core/text.h"
#include "plan/objects.h"
#include "plan/render_parts.h"
#include "plan/tree_source.h"

namespace plumb::plan {
namespace {

using Json = nlohmann::json;

/// "/spec/containers/0/image" of `spec.containers[0].image`; keys in brackets are quoted.
std::string pointer_of(std::string_view field) {
  std::string pointer;
  const auto add = [&](std::string_view key) {
    pointer += '/';
    for (const char c : key) pointer += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  };
  while (!field.empty()) {
    std::size_t end = 0;
    if (field.starts_with("[\"")) {
      end = std::min(field.find("\"]"), field.size());
      add(field.substr(2, end - 2));
      end += 2;
    } else if (field.starts_with('[')) {
      end = std::min(field.find(']'), field.size());
      add(field.substr(1, end - 1));
      end += 1;
    } else {
      end = std::min(field.find_first_of(".["), field.size());
      add(field.substr(0, end));
    }
    field.remove_prefix(std::min(end, field.size()));
    if (field.starts_with('.')) field.remove_prefix(1);
  }
  return pointer;
}

/// An object as it stands in a file.
struct Standing {
  const yaml::Document* document = nullptr;
  const Json* value = nullptr;
  std::string pointer;  ///< within the document: "" or "/items/3"
};

bool has(const Json& object, const std::string& pointer) {
  const Json* here = &object;
  std::string_view rest(pointer);
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const auto end = std::min(rest.find('/'), rest.size());
    std::string key(rest.substr(0, end));
    rest.remove_prefix(end);
    RE2::GlobalReplace(&key, "~1", "/");
    RE2::GlobalReplace(&key, "~0", "~");
    if (here->is_array()) {
      const bool number = !key.empty() && key.size() < 9 &&
                          key.find_first_not_of("0123456789") == std::string::npos;
      if (!number || std::stoul(key) >= here->size()) return false;
      here = &(*here)[std::stoul(key)];
    } else if (here->is_object() && here->contains(key)) {
      here = &(*here)[key];
    } else {
      return false;
    }
  }
  return true;
}

bool is_called(const Json& value, const std::string& kind, const std::string& name) {
  if (!value.is_object() || value.value("kind", Json()) != kind) return false;
  const Json metadata = value.value("metadata", Json());
  return metadata.is_object() && metadata.value("name", Json()) == name;
}

class Locator {
 public:
  Locator(const Update& update, git::Repository& repository)
      : update_(update), source_(repository, update.tree) {}

  void locate(Verdict& verdict) {
    if (verdict.object.empty() || verdict.place.column > 0) return;
    const auto [affected, object] = object_of(verdict);
    if (object == nullptr || object->place.file.empty()) return;
    if (verdict.place.file.empty()) verdict.place = object->place;
    if (verdict.field.empty() || verdict.place != object->place) return;
    const std::string pointer = pointer_of(verdict.field);
    const auto own = standing(object->place.file, [line = object->place.line](const Standing& at) {
      return at.document->marks.at(at.pointer).line == line;
    });
    if (!own) return;
    if (!has(*own->value, pointer)) {
      // Not there in the object's own file: a patch set it.
      const std::string name = own->value->value("/metadata/name"_json_pointer, object->key.name);
      if (const auto patched = in_patches(*affected, object->key.kind, name, pointer)) {
        verdict.place = *patched;
        return;
      }
    }
    verdict.place = place_of(object->place.file, *own, pointer);
  }

 private:
  static Place place_of(const std::string& file, const Standing& at, const std::string& pointer) {
    const auto mark = at.document->marks.at(at.pointer + pointer);
    return {file, mark.key_line > 0 ? mark.key_line : mark.line,
            mark.key_line > 0 ? mark.key_column : mark.column};
  }

  std::pair<const Affected*, const Manifest*> object_of(const Verdict& verdict) const {
    for (const Affected& affected : update_.affected) {
      if (affected.application.id.to_string() != verdict.application) continue;
      for (const Manifest& object : affected.plan.objects) {
        if (object.key.title() == verdict.object) return {&affected, &object};
      }
    }
    return {nullptr, nullptr};
  }

  const std::vector<yaml::Document>& documents(const std::string& file) {
    const auto [at, fresh] = files_.try_emplace(file);
    if (!fresh) return at->second;
    const auto text = source_.read(file);
    if (!text) return at->second;
    auto parsed = yaml::parse_all(*text, file);
    if (parsed) at->second = *std::move(parsed);
    return at->second;
  }

  template <class Wanted>
  std::optional<Standing> standing(const std::string& file, const Wanted& wanted) {
    for (const yaml::Document& document : documents(file)) {
      const Json& value = *document.value;
      const Standing whole{&document, &value, ""};
      if (wanted(whole) && !value.contains("items")) return whole;
      const auto items = value.is_object() ? value.find("items") : value.end();
      if (items == value.end() || !items->is_array()) continue;
      for (std::size_t i = 0; i < items->size(); ++i) {
        const Standing item{&document, &(*items)[i], "/items/" + std::to_string(i)};
        if (wanted(item)) return item;
      }
    }
    return std::nullopt;
  }

  std::optional<Place> in_patches(const Affected& affected,
                                  const std::string& kind,
                                  const std::string& name,
                                  const std::string& pointer) {
    for (const ClosureEntry& entry : affected.closure) {
      if (entry.looked != Looked::file || !is_manifest_file(entry.path)) continue;
      const auto patch = standing(entry.path, [&](const Standing& at) {
        return is_called(*at.value, kind, name) && has(*at.value, pointer);
      });
      if (patch) return place_of(entry.path, *patch, pointer);
    }
    return std::nullopt;
  }

  const Update& update_;
  TreeSource source_;
  std::map<std::string, std::vector<yaml::Document>> files_;
};

/// A file that holds values nobody may see, by its look: it need not be valid YAML.
bool may_hold_secrets(const std::string& text) {
  static const RE2 kSecret(R"((?m)kind["']?\s*:\s*["']?Secret|secretGenerator)");
  return RE2::PartialMatch(text, kSecret);
}

}  // namespace

void locate(std::vector<Verdict>& verdicts, const Update& update, git::Repository& repository) {
  Locator locator(update, repository);
  for (Verdict& verdict : verdicts) locator.locate(verdict);
}

std::vector<SourceLine> source_lines(const Verdict& verdict,
                                     const Update& update,
                                     git::Repository& repository) {
  const Place& place = verdict.place;
  if (place.line <= 0 || !is_manifest_file(place.file)) return {};
  TreeSource source(repository, update.tree);
  const auto text = source.read(place.file);
  if (!text || may_hold_secrets(*text)) return {};
  std::vector<SourceLine> lines;
  for (int line = std::max(1, place.line - 1); line <= place.line; ++line) {
    lines.push_back({line, printable(line_of(*text, line))});
  }
  return lines;
}

}  // namespace plumb::plan
