#pragma once
/// An application: one source rendered for one environment on one cluster and namespace.
#include <chrono>
#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/place.h"
#include "core/result.h"

namespace plumb {

/// Names an application. Written "web/staging@eu-1", with "team:" in front for a project that is
/// not "default".
struct AppId {
  std::string project = "default";
  std::string name;
  std::string environment;
  std::string cluster;

  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] static Result<AppId> parse(std::string_view text);
  auto operator<=>(const AppId&) const = default;
};

enum class Engine { plain, kustomize };
[[nodiscard]] std::string_view to_string(Engine engine) noexcept;

enum class SyncMode { automatic, manual };
[[nodiscard]] std::string_view to_string(SyncMode mode) noexcept;

/// What happens to the objects of an application that is removed from Git.
enum class OnDelete { cascade, orphan };
[[nodiscard]] std::string_view to_string(OnDelete rule) noexcept;

/// As declared by a document or by the folder convention; nothing here was rendered yet.
struct Application {
  AppId id;
  std::string repository;  ///< name in the server's file
  std::string path;        ///< folder in the repository, no leading or trailing slash; "" = root
  std::optional<Engine> engine;  ///< nullopt: kustomize if the folder has a kustomization file
  bool recurse = false;          ///< plain only: also read sub-folders
  std::string ns;                ///< Kubernetes namespace of objects that name none
  SyncMode sync = SyncMode::automatic;
  bool prune = true;
  OnDelete on_delete = OnDelete::cascade;
  std::chrono::milliseconds health_timeout{std::chrono::minutes(5)};
  Place declared_at;
};

}  // namespace plumb
