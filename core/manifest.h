#pragma once
/// One rendered Kubernetes object.
#include <compare>
#include <string>
#include <string_view>

#include "core/place.h"

namespace plumb {

/// Names an object on one cluster. Two versions of one kind are the same object.
struct ObjectKey {
  std::string api_version;  ///< "apps/v1", "v1"
  std::string kind;
  std::string ns;  ///< "" for cluster-scoped kinds
  std::string name;

  [[nodiscard]] std::string_view group() const;    ///< "apps"; "" for the core group
  [[nodiscard]] std::string_view version() const;  ///< "v1"
  /// "apps/Deployment/shop/web": identity without the version; the key of maps and tables.
  [[nodiscard]] std::string identity() const;
  /// "Deployment shop/web", for people.
  [[nodiscard]] std::string title() const;
};

struct Manifest {
  ObjectKey key;
  std::string json;  ///< canonical JSON (sorted keys, no white space): the bytes that are applied
  std::string hash;  ///< content_hash(): hex; keyed when `tainted`
  bool tainted = false;  ///< holds secret values (a Secret): never shown, stored only encrypted
  Place place;           ///< where it stands in the repository, as far as known
};

}  // namespace plumb
