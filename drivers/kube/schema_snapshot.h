#pragma once
/// What plan/ needs to judge a push without the cluster: its OpenAPI v3 documents and discovery.
///
///   Cheap    fetch_schema() with the snapshot before costs one call when nothing changed, and
///            otherwise fetches only the documents whose hash is new
///   Errors   as Client; a broken document is unavailable
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "drivers/kube/client.h"

namespace plumb::kube {

struct SchemaDocument {
  std::string path;  ///< "apis/apps/v1"
  std::string hash;  ///< as the server's index says
  std::shared_ptr<const std::string> text;
};

struct SchemaSnapshot {
  std::string key;          ///< changes exactly when the server's index or version does
  std::string version;      ///< "1.34"
  std::string git_version;  ///< "v1.34.4"
  std::vector<SchemaDocument> documents;  ///< sorted by path
  std::string discovery_core;             ///< aggregated, of /api
  std::string discovery_groups;           ///< aggregated, of /apis
};

/// `previous`: the last snapshot of the same cluster, or null. Returns `previous` itself when its
/// key still holds.
[[nodiscard]] Result<std::shared_ptr<const SchemaSnapshot>> fetch_schema(
    Client& client, std::shared_ptr<const SchemaSnapshot> previous);

}  // namespace plumb::kube
