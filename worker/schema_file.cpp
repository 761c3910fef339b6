#include "worker/schema_file.h"

#include <cstdio>
#include <fstream>
#include <iterator>

#include <nlohmann/json.hpp>
#include <unistd.h>
#include <zstd.h>

#include "drivers/json/fields.h"
#include "drivers/json/json.h"

namespace plumb::worker {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxBytes = 256U << 20U;

Result<std::string> unpacked(const std::string& packed) {
  const auto size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > kMaxBytes) {
    return fail(Errc::invalid, "no schema file");
  }
  std::string text(size, '\0');
  const auto got = ZSTD_decompress(text.data(), text.size(), packed.data(), packed.size());
  if (ZSTD_isError(got) != 0U || got != size) return fail(Errc::invalid, "no schema file");
  return text;
}

}  // namespace

std::optional<KeptSnapshot> load_snapshot(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  const std::string packed{std::istreambuf_iterator<char>(file), {}};
  const auto text = unpacked(packed);
  if (!text) return std::nullopt;
  const auto value =
      json::parse(*text, {.max_bytes = kMaxBytes, .max_depth = 8, .refuse_duplicate_keys = false});
  if (!value || json::number(*value, "format") != 1) return std::nullopt;
  auto snapshot = std::make_shared<kube::SchemaSnapshot>();
  snapshot->key = json::text(*value, "key");
  snapshot->version = json::text(*value, "version");
  snapshot->git_version = json::text(*value, "git_version");
  snapshot->discovery_core = json::text(*value, "discovery_core");
  snapshot->discovery_groups = json::text(*value, "discovery_groups");
  for (const Json& document : json::list(*value, "documents")) {
    snapshot->documents.push_back(
        {json::text(document, "path"), json::text(document, "hash"),
         std::make_shared<const std::string>(json::text(document, "text"))});
  }
  return KeptSnapshot{std::move(snapshot), json::number(*value, "read_at")};
}

Result<> save_snapshot(const std::string& path,
                       const kube::SchemaSnapshot& snapshot,
                       UnixMillis read_at) {
  Json documents = Json::array();
  for (const auto& document : snapshot.documents) {
    documents.push_back(
        {{"path", document.path}, {"hash", document.hash}, {"text", *document.text}});
  }
  const std::string text = json::canonical({{"format", 1},
                                            {"key", snapshot.key},
                                            {"version", snapshot.version},
                                            {"git_version", snapshot.git_version},
                                            {"read_at", read_at},
                                            {"discovery_core", snapshot.discovery_core},
                                            {"discovery_groups", snapshot.discovery_groups},
                                            {"documents", std::move(documents)}});
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  const auto size = ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3);
  if (ZSTD_isError(size) != 0U)
    return fail(Errc::fault, std::string("zstd: ") + ZSTD_getErrorName(size));
  packed.resize(size);
  const std::string beside = path + ".new";
  std::ofstream file(beside, std::ios::binary | std::ios::trunc);
  file << packed;
  file.close();
  if (!file || std::rename(beside.c_str(), path.c_str()) != 0) {
    static_cast<void>(::unlink(beside.c_str()));
    return fail(Errc::unavailable, "'" + path + "' cannot be written: is the disk full?");
  }
  return {};
}

}  // namespace plumb::worker
