#include "drivers/kube/schema_snapshot.h"

#include <algorithm>
#include <map>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "drivers/crypto/crypto.h"
#include "drivers/json/json.h"
#include "drivers/kube/errors.h"
#include "drivers/kube/kinds.h"

namespace plumb::kube {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxDocument = 32U << 20U;
constexpr std::size_t kMaxDocuments = 2'000;

struct IndexEntry {
  std::string path;
  std::string url;
  std::string hash;
};

Request get(const std::string& path) {
  Request request;
  request.path = path;
  request.max_response_bytes = kMaxDocument;
  request.timeout = std::chrono::seconds(30);
  return request;
}

Result<json> parsed(const Result<Response>& answer, const std::string& what) {
  if (!answer) return Failure(answer.error());
  TRY_DOING(what, check(*answer));
  auto value = plumb::json::parse(answer->body);
  if (!value || !value->is_object())
    return fail(Errc::unavailable, what + ": the answer is no JSON object");
  return *std::move(value);
}

std::string text_at(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

/// Group-versions only: "api/v1" and "apis/<group>/<version>".
bool is_group_version(const std::string& path) {
  const auto parts = split(path, '/');
  return (parts.size() == 2 && parts[0] == "api") || (parts.size() == 3 && parts[0] == "apis");
}

Result<std::vector<IndexEntry>> read_index(const json& index) {
  std::vector<IndexEntry> entries;
  const auto paths = index.find("paths");
  if (paths == index.end() || !paths->is_object()) {
    return fail(Errc::unavailable, "the index of schemas has no paths");
  }
  for (const auto& [path, value] : paths->items()) {
    if (!is_group_version(path) || !value.is_object()) continue;
    IndexEntry entry{path, text_at(value, "serverRelativeURL"), {}};
    const auto at = entry.url.find("hash=");
    if (at != std::string::npos) entry.hash = entry.url.substr(at + 5);
    // The address comes from the server: stay below the one we know.
    if (entry.url.rfind("/openapi/v3/", 0) != 0) {
      return fail(Errc::unavailable,
                  "the index of schemas points elsewhere: " + printable(entry.url));
    }
    entries.push_back(std::move(entry));
  }
  if (entries.size() > kMaxDocuments) return fail(Errc::fault, "the cluster has too many schemas");
  std::sort(entries.begin(), entries.end(),
            [](const IndexEntry& a, const IndexEntry& b) { return a.path < b.path; });
  return entries;
}

std::string short_version(const json& version) {
  std::string minor = text_at(version, "minor");  // some vendors write "34+"
  while (!minor.empty() && (minor.back() < '0' || minor.back() > '9')) minor.pop_back();
  return text_at(version, "major") + "." + minor;
}

std::string key_of(const std::string& git_version, const std::vector<IndexEntry>& entries) {
  std::string text = git_version + "\n";
  for (const IndexEntry& entry : entries) text += entry.path + " " + entry.hash + "\n";
  return crypto::sha256_hex(text);
}

Result<std::vector<SchemaDocument>> fetch_documents(Client& client,
                                                    const std::vector<IndexEntry>& entries,
                                                    const SchemaSnapshot* previous) {
  std::map<std::string, const SchemaDocument*> known;
  if (previous != nullptr) {
    for (const SchemaDocument& document : previous->documents) known[document.path] = &document;
  }
  std::vector<SchemaDocument> documents;
  std::vector<std::pair<std::size_t, std::future<Result<Response>>>> awaited;
  for (const IndexEntry& entry : entries) {
    const auto it = known.find(entry.path);
    const bool same = it != known.end() && !entry.hash.empty() && it->second->hash == entry.hash;
    documents.push_back({entry.path, entry.hash, same ? it->second->text : nullptr});
    if (!same) awaited.emplace_back(documents.size() - 1, client.start(get(entry.url)));
  }
  for (auto& [index, future] : awaited) {
    const std::string what = "read the schema " + documents[index].path;
    Response response = TRY_DOING(what, future.get());
    TRY_DOING(what, check(response));
    documents[index].text = std::make_shared<const std::string>(std::move(response.body));
  }
  return documents;
}

}  // namespace

Result<std::shared_ptr<const SchemaSnapshot>> fetch_schema(
    Client& client, std::shared_ptr<const SchemaSnapshot> previous) {
  auto version_answer = client.start(get("/version"));
  const json index = TRY(parsed(client.call(get("/openapi/v3")), "read the index of schemas"));
  const json version = TRY(parsed(version_answer.get(), "read the server's version"));
  const std::vector<IndexEntry> entries = TRY(read_index(index));

  auto snapshot = std::make_shared<SchemaSnapshot>();
  snapshot->git_version = text_at(version, "gitVersion");
  snapshot->version = short_version(version);
  snapshot->key = key_of(snapshot->git_version, entries);
  if (previous && previous->key == snapshot->key) return previous;
  snapshot->documents = TRY(fetch_documents(client, entries, previous.get()));
  Discovery discovery = TRY(fetch_discovery(client));
  snapshot->discovery_core = std::move(discovery.core);
  snapshot->discovery_groups = std::move(discovery.groups);
  return std::shared_ptr<const SchemaSnapshot>(std::move(snapshot));
}

}  // namespace plumb::kube
