#include "config/server_config.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "config/names.h"
#include "config/server_parts.h"
#include "core/text.h"

namespace plumb::config {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr std::size_t kLargestFile = 1U << 20U;
constexpr std::size_t kLongestSocket = 107;  // sockaddr_un, with its zero byte

struct Parsed {
  ServerConfig config;
  std::vector<ConfigProblem> problems;
};

struct Address {
  std::string host;
  int port = 0;
};

std::optional<Address> parse_address(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  Address address{text.substr(0, colon), 0};
  const char* end = text.data() + text.size();
  const auto [after, code] = std::from_chars(text.data() + colon + 1, end, address.port);
  if (code != std::errc() || after != end || address.port < 0 || address.port > 65535)
    return std::nullopt;
  if (address.host.starts_with('[') && address.host.ends_with(']')) {
    address.host = address.host.substr(1, address.host.size() - 2);
  } else if (address.host.find(':') != std::string::npos) {
    return std::nullopt;
  }
  return address;
}

bool is_loopback(const std::string& host) {
  if (host == "localhost" || host == "::1") return true;
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos;
}

void read_http(const Node& node, const fs::path& base, HttpConfig& into) {
  if (!node.there()) {
    into.listen.clear();
    return;
  }
  if (!node.object({"listen", "tls", "trustedProxy", "maxBodyMB"})) return;
  const Node listen = node.member("listen");
  listen.read(into.listen);
  const Node tls = node.member("tls");
  if (tls.there() && tls.object({"certificate", "key"})) {
    tls.member("certificate").read(into.tls_certificate);
    tls.member("key").read(into.tls_key);
    if (into.tls_certificate.empty() != into.tls_key.empty()) {
      tls.missing(into.tls_key.empty() ? "key" : "certificate", "both or none");
    } else if (into.tls_key.empty()) {
      tls.wrong("spec.http.tls needs certificate and key");
    }
    for (std::string* file : {&into.tls_certificate, &into.tls_key}) {
      if (!file->empty()) *file = absolute_path(base, *file);
    }
  }
  node.member("trustedProxy").read(into.behind_trusted_proxy);
  std::int64_t megabytes = static_cast<std::int64_t>(into.max_body_bytes >> 20U);
  node.member("maxBodyMB").read_count(megabytes, 1, 1024);
  into.max_body_bytes = static_cast<std::size_t>(megabytes) << 20U;
  const auto address = parse_address(into.listen);
  if (!address)
    return listen.wrong("\"" + printable(into.listen, 80) + "\" is no address:port",
                        "as in  127.0.0.1:8080");
  if (!is_loopback(address->host) && into.tls_key.empty() && !into.behind_trusted_proxy) {
    listen.wrong(
        "plain HTTP on " + printable(into.listen, 80) + " would be open to the network",
        "give spec.http.tls, or set trustedProxy: true if a proxy ends TLS in front of it");
  }
}

std::vector<ClusterConfig> read_clusters(const Node& spec, const fs::path& base) {
  std::vector<ClusterConfig> clusters;
  std::set<std::string> names;
  const Node list = spec.member("clusters");
  if (!list.there()) spec.missing("clusters", "name at least one cluster");
  if (list.there() && list.items().empty())
    list.wrong("spec.clusters is empty: name at least one cluster");
  for (const Node& item : list.items()) {
    if (!item.object({"name", "kubeconfig", "context", "allowExec"})) continue;
    ClusterConfig cluster;
    const Node name = item.member("name");
    name.read(cluster.name);
    if (!name.there()) item.missing("name");
    if (name.there() && !is_name(cluster.name)) {
      name.wrong("\"" + printable(cluster.name, 80) + "\" is no name of a cluster",
                 "lower-case letters, digits, - . _");
    }
    if (name.there() && !names.insert(cluster.name).second)
      name.wrong("two clusters are called \"" + cluster.name + "\"");
    item.member("kubeconfig").read(cluster.kubeconfig);
    if (!cluster.kubeconfig.empty()) cluster.kubeconfig = absolute_path(base, cluster.kubeconfig);
    item.member("context").read(cluster.context);
    item.member("allowExec").read(cluster.allow_exec);
    for (const Node& program : item.member("allowExec").items()) {
      const auto path = program.text();
      if (path && !path->starts_with('/')) {
        program.wrong("\"" + printable(*path, 80) + "\" is no absolute path",
                      "as in  /usr/bin/aws");
      }
    }
    clusters.push_back(std::move(cluster));
  }
  return clusters;
}

void read_repositories(const Node& spec, const fs::path& base, ServerConfig& config) {
  std::set<std::string> names;
  std::set<std::string> paths;
  std::set<std::string> endpoints;
  for (const Node& item : spec.member("repositories").items()) {
    RepositoryBinding binding = read_binding(item, config.clusters, base);
    if (!binding.name.empty() && !names.insert(binding.name).second) {
      item.member("name").wrong("two repositories are called \"" + printable(binding.name, 80) +
                                "\"");
    }
    if (!binding.path.empty() && !paths.insert(binding.path).second) {
      item.member("path").wrong("two repositories have the path '" + printable(binding.path) + "'",
                                "a repository belongs to one project: bind it once");
    }
    const auto hooks = item.member("webhooks");
    for (std::size_t i = 0; i < binding.webhooks.size(); ++i) {
      if (!binding.webhooks[i].id.empty() && !endpoints.insert(binding.webhooks[i].id).second) {
        hooks.items()[i].member("id").wrong("two webhooks have this id",
                                            "make one with  openssl rand -hex 16");
      }
    }
    config.repositories.push_back(std::move(binding));
  }
}

void read_rest(const Node& spec, ServerConfig& config) {
  const Node access = spec.member("access");
  if (access.there() && access.object({"writers"})) {
    for (const Node& item : access.member("writers").items()) {
      std::int64_t uid = 0;
      item.read_count(uid, 0, 4'294'967'294);
      config.writers.push_back(static_cast<uid_t>(uid));
    }
  }
  std::int64_t workers = config.workers;
  spec.member("workers").read_count(workers, 1, 256);
  config.workers = static_cast<int>(workers);
  spec.member("lease").read_time(config.lease, 5s, 10min, "5s to 10m");
  spec.member("scanInterval").read_time(config.scan_interval, 1s, 1h, "1s to 1h");
  std::int64_t days = config.retention_days;
  spec.member("retentionDays").read_count(days, 1, 36'500);
  config.retention_days = static_cast<int>(days);
}

void read_places(const Node& spec, const fs::path& base, ServerConfig& config) {
  const Node data = spec.member("data");
  data.read(config.data_dir);
  if (!data.there()) spec.missing("data", "the folder for the database and the socket");
  if (data.there() && config.data_dir.empty()) data.wrong("spec.data is empty");
  if (!config.data_dir.empty()) config.data_dir = absolute_path(base, config.data_dir);
  const Node socket = spec.member("socket");
  socket.read(config.socket);
  if (!config.socket.empty()) config.socket = absolute_path(base, config.socket);
  const std::string actual =
      config.socket.empty() ? config.data_dir + "/plumbd.sock" : config.socket;
  if (actual.size() > kLongestSocket) {
    (socket.there() ? socket : data)
        .wrong("the socket's path '" + printable(actual) + "' is longer than " +
                   std::to_string(kLongestSocket) + " bytes",
               "set spec.socket to a shorter one");
  }
  spec.member("engines").read(config.engines);
  if (!config.engines.empty()) config.engines = absolute_path(base, config.engines);
}

void read_root(const Node& root, const fs::path& base, ServerConfig& config) {
  if (!root.object({"apiVersion", "kind", "metadata", "spec"})) return;
  const Node version = root.member("apiVersion");
  const Node kind = root.member("kind");
  if (!version.there()) root.missing("apiVersion", "write  apiVersion: plumbline.dev/v1");
  if (!kind.there()) root.missing("kind", "write  kind: Server");
  static_cast<void>(version.word({"plumbline.dev/v1"}));
  static_cast<void>(kind.word({"Server"}));
  const Node spec = root.member("spec");
  if (!spec.there()) return root.missing("spec");
  if (!spec.object({"data", "socket", "engines", "http", "clusters", "repositories", "access",
                    "workers", "lease", "scanInterval", "retentionDays"})) {
    return;
  }
  read_places(spec, base, config);
  read_http(spec.member("http"), base, config.http);
  config.clusters = read_clusters(spec, base);
  read_repositories(spec, base, config);
  read_rest(spec, config);
}

Result<std::string> read_text(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text(kLargestFile + 1, '\0');
  if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file && !file.eof()) {
    return fail(Errc::invalid, "read '" + path + "': " + std::strerror(errno == 0 ? EIO : errno));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kLargestFile) return fail(Errc::invalid, "'" + path + "' is larger than 1 MB");
  return text;
}

Parsed parse(const std::string& path) {
  Parsed parsed;
  parsed.config.file = path;
  const auto text = read_text(path);
  if (!text) {
    parsed.problems.push_back({path, text.error().message, ""});
    return parsed;
  }
  const auto documents = yaml::parse_all(*text, path);
  if (!documents) {
    const Error& error = documents.error();
    parsed.problems.push_back(
        {error.where.empty() ? path : error.where, error.message, error.hint});
    return parsed;
  }
  if (documents->size() != 1) {
    parsed.problems.push_back(
        {path, "a server file holds one document, this one " + std::to_string(documents->size()),
         ""});
    return parsed;
  }
  std::error_code ignored;
  const fs::path base = fs::absolute(path, ignored).lexically_normal().parent_path();
  Reader reader(documents->front(), path);
  read_root(reader.root(), base, parsed.config);
  std::stable_sort(
      reader.findings.begin(), reader.findings.end(), [](const Finding& a, const Finding& b) {
        return std::pair(a.place.line, a.place.column) < std::pair(b.place.line, b.place.column);
      });
  for (const Finding& finding : reader.findings) {
    parsed.problems.push_back({finding.place.to_string(), finding.message, finding.hint});
  }
  return parsed;
}

}  // namespace

std::string absolute_path(const fs::path& base, const std::string& path) {
  std::string normal =
      (fs::path(path).is_absolute() ? fs::path(path) : base / path).lexically_normal().string();
  while (normal.size() > 1 && normal.ends_with('/')) normal.pop_back();
  return normal;
}

Result<ServerConfig> load_server_config(const std::string& path) {
  Parsed parsed = parse(path);
  if (parsed.problems.empty()) return std::move(parsed.config);
  const ConfigProblem& first = parsed.problems.front();
  return fail(Errc::invalid, first.message, first.where, first.hint);
}

std::vector<ConfigProblem> check_server_config(const std::string& path) {
  return parse(path).problems;
}

}  // namespace plumb::config
