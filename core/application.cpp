#include "core/application.h"

namespace plumb {

std::string AppId::to_string() const {
  std::string text = project == "default" ? "" : project + ":";
  return text + name + "/" + environment + "@" + cluster;
}

Result<AppId> AppId::parse(std::string_view text) {
  AppId id;
  const std::string whole(text);
  if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    id.project = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  const auto slash = text.find('/');
  const auto at = text.find('@');
  if (slash == std::string_view::npos || at == std::string_view::npos || at < slash) {
    return fail(Errc::invalid, "\"" + whole + "\" is no application", "",
                "write it as  name/environment@cluster");
  }
  id.name = text.substr(0, slash);
  id.environment = text.substr(slash + 1, at - slash - 1);
  id.cluster = text.substr(at + 1);
  const bool extra = id.environment.find('/') != std::string::npos ||
                     id.cluster.find_first_of("@/:") != std::string::npos;
  if (id.project.empty() || id.name.empty() || id.environment.empty() || id.cluster.empty() ||
      extra) {
    return fail(Errc::invalid, "\"" + whole + "\" is no application", "",
                "write it as  name/environment@cluster");
  }
  return id;
}

std::string_view to_string(Engine engine) noexcept {
  switch (engine) {
    case Engine::plain: return "plain";
    case Engine::kustomize: return "kustomize";
  }
  return "plain";
}

std::string_view to_string(SyncMode mode) noexcept {
  switch (mode) {
    case SyncMode::automatic: return "automatic";
    case SyncMode::manual: return "manual";
  }
  return "automatic";
}

std::string_view to_string(OnDelete rule) noexcept {
  switch (rule) {
    case OnDelete::cascade: return "cascade";
    case OnDelete::orphan: return "orphan";
  }
  return "cascade";
}

}  // namespace plumb
