#include "plan/render.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "drivers/crypto/crypto.h"
#include "plan/objects.h"
#include "plan/render_parts.h"

namespace plumb::plan {
namespace {

Verdict path_verdict(const Application& application, std::string message, std::string hint = {}) {
  Verdict verdict;
  verdict.rule = "render.path";
  verdict.application = application.id.to_string();
  verdict.place = application.declared_at;
  verdict.message = std::move(message);
  verdict.hint = std::move(hint);
  return verdict;
}

/// What keeps the application's folder from being rendered at all; nullopt: nothing.
Result<std::optional<Verdict>> check_folder(const Application& application, TreeSource& source) {
  const std::string shown = "'" + printable(application.path) + "'";
  const auto found = source.look(application.path);
  if (!found) {
    if (found.error().code != Errc::invalid) return Failure(found.error());
    return path_verdict(application, found.error().message, found.error().hint);
  }
  if (!*found) {
    return path_verdict(application, "the folder " + shown + " does not exist",
                        "to remove the application, remove its document");
  }
  if ((*found)->type == TreeSource::Found::Type::file) {
    return path_verdict(application, shown + " is a file, not a folder");
  }
  return std::optional<Verdict>();
}

Result<Engine> engine_of(const Application& application, TreeSource& source) {
  if (application.engine) return *application.engine;
  for (const char* name : {"kustomization.yaml", "kustomization.yml", "Kustomization"}) {
    const std::string path = application.path.empty() ? name : application.path + "/" + name;
    const auto found = source.look(path);
    if (!found && found.error().code != Errc::invalid) return Failure(found.error());
    if (!found || *found) return Engine::kustomize;  // a bad link: kustomize will say so
  }
  return Engine::plain;
}

}  // namespace

Result<Rendered> render(const Application& application,
                        TreeSource& source,
                        EnginePool& engines,
                        const ProjectKey& key,
                        const IsNamespaced& is_namespaced) {
  Rendered rendered;
  static_cast<void>(source.take_closure());  // of an earlier render
  if (auto verdict = TRY(check_folder(application, source))) {
    rendered.verdicts.push_back(*std::move(verdict));
  } else {
    std::vector<GivenObject> given;
    if (TRY(engine_of(application, source)) == Engine::kustomize) {
      TRY(build_kustomize(application, source, engines, given, rendered.verdicts));
    } else {
      const auto read = read_plain(application, source, given, rendered.verdicts);
      if (!read) {
        if (read.error().code != Errc::invalid) return Failure(read.error());
        rendered.verdicts.push_back(path_verdict(application, read.error().message));
      }
    }
    name_objects(std::move(given), {application, key, is_namespaced}, rendered);
  }
  rendered.closure = source.take_closure();
  return rendered;
}

std::string plan_digest(const Application& application, const std::vector<Manifest>& objects) {
  std::string text =
      "plumbline plan 1\n" + application.id.to_string() + "\n" + application.ns + "\n";
  for (const Manifest& object : objects) text += object.key.identity() + "\n" + object.hash + "\n";
  return crypto::sha256_hex(text);
}

std::string content_hash(std::string_view canonical_json, bool tainted, const ProjectKey& key) {
  return tainted ? crypto::hmac_sha256_hex(key.bytes(), canonical_json)
                 : crypto::sha256_hex(canonical_json);
}

}  // namespace plumb::plan
