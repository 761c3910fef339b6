#include "drivers/kube/kubeconfig.h"

#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "drivers/crypto/crypto.h"
#include "drivers/kube/files.h"
#include "drivers/yaml/yaml.h"

namespace plumb::kube {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxKubeconfig = 4U << 20U;
constexpr std::size_t kMaxSecretFile = 1U << 20U;

/// One file, while it is being read.
struct Reader {
  std::string path;
  std::string folder;

  [[nodiscard]] Failure bad(const std::string& what, std::string hint = {}) const {
    return fail(Errc::invalid, "kubeconfig '" + path + "': " + what, path, std::move(hint));
  }

  /// The text at `key`, "" when absent.
  [[nodiscard]] Result<std::string> text(const json& parent, const char* key) const {
    const auto it = parent.find(key);
    if (it == parent.end() || it->is_null()) return std::string();
    if (!it->is_string()) return bad("'" + std::string(key) + "' is no text");
    return it->get<std::string>();
  }

  [[nodiscard]] std::string resolved(const std::string& file) const {
    return (std::filesystem::path(folder) / file).lexically_normal().string();
  }

  /// `<key>-data` (base64) or the content of the file `<key>`; "" when neither is there.
  [[nodiscard]] Result<std::string> pem(const json& parent, const std::string& key) const {
    const std::string data = TRY(text(parent, (key + "-data").c_str()));
    if (!data.empty()) {
      auto bytes = crypto::unbase64(data);
      if (!bytes) return bad("'" + key + "-data' is no base64");
      return *std::move(bytes);
    }
    const std::string file = TRY(text(parent, key.c_str()));
    if (file.empty()) return std::string();
    return TRY_DOING("kubeconfig '" + path + "': " + key,
                     read_file(resolved(file), kMaxSecretFile));
  }

  /// The mapping `inner` of the entry called `name` in the list `list`.
  [[nodiscard]] Result<json> entry(const json& root,
                                   const char* list,
                                   const char* inner,
                                   const std::string& name) const {
    std::string known;
    const auto it = root.find(list);
    if (it != root.end() && !it->is_null() && !it->is_array()) {
      return bad("'" + std::string(list) + "' is no list");
    }
    for (const json& item : it == root.end() ? json::array() : *it) {
      if (!item.is_object()) return bad("an item of '" + std::string(list) + "' is no mapping");
      const std::string found = TRY(text(item, "name"));
      known += (known.empty() ? "" : ", ") + found;
      if (found != name) continue;
      const auto value = item.find(inner);
      if (value == item.end() || value->is_null()) return json(json::object());
      if (!value->is_object()) return bad("'" + std::string(inner) + "' is no mapping");
      return *value;
    }
    return bad("no " + std::string(inner) + " '" + printable(name) + "'",
               known.empty() ? "" : "it has: " + printable(known));
  }
};

Result<bool> flag(const Reader& reader, const json& parent, const char* key) {
  const auto it = parent.find(key);
  if (it == parent.end() || it->is_null()) return false;
  if (!it->is_boolean()) return reader.bad("'" + std::string(key) + "' is neither true nor false");
  return it->get<bool>();
}

Result<> read_cluster(const Reader& reader, const json& cluster, Access& access) {
  access.server = TRY(reader.text(cluster, "server"));
  while (!access.server.empty() && access.server.back() == '/') access.server.pop_back();
  if (access.server.rfind("https://", 0) != 0 && access.server.rfind("http://", 0) != 0) {
    return reader.bad("the cluster's 'server' is no http or https address");
  }
  access.ca_pem = TRY(reader.pem(cluster, "certificate-authority"));
  access.tls_server_name = TRY(reader.text(cluster, "tls-server-name"));
  access.insecure_skip_tls_verify = TRY(flag(reader, cluster, "insecure-skip-tls-verify"));
  if (access.insecure_skip_tls_verify && !access.ca_pem.empty()) {
    return reader.bad("it names a certificate authority and also skips the check of it",
                      "remove insecure-skip-tls-verify");
  }
  access.proxy_url = TRY(reader.text(cluster, "proxy-url"));
  const auto scheme = access.proxy_url.substr(0, access.proxy_url.find("://"));
  if (!access.proxy_url.empty() && scheme != "http" && scheme != "https" && scheme != "socks5") {
    return reader.bad("'proxy-url' is no http, https or socks5 address");
  }
  return {};
}

Result<ExecPlugin> read_exec(const Reader& reader,
                             const json& exec,
                             const std::vector<std::string>& allowed) {
  if (!exec.is_object()) return reader.bad("'exec' is no mapping");
  ExecPlugin plugin;
  plugin.program = TRY(reader.text(exec, "command"));
  plugin.api_version = TRY(reader.text(exec, "apiVersion"));
  plugin.provide_cluster_info = TRY(flag(reader, exec, "provideClusterInfo"));
  if (plugin.api_version != "client.authentication.k8s.io/v1" &&
      plugin.api_version != "client.authentication.k8s.io/v1beta1") {
    return reader.bad("exec apiVersion '" + printable(plugin.api_version) + "' is not known");
  }
  if (plugin.program.empty() || plugin.program.front() != '/' ||
      std::find(allowed.begin(), allowed.end(), plugin.program) == allowed.end()) {
    return reader.bad(
        "exec wants to start '" + printable(plugin.program) + "', which is not allowed",
        "write the absolute path there, and list it under allowExec of the cluster");
  }
  for (const json& argument : exec.value("args", json::array())) {
    if (!argument.is_string()) return reader.bad("an exec argument is no text");
    plugin.arguments.push_back(argument.get<std::string>());
  }
  const auto env = exec.find("env");
  if (env == exec.end() || env->is_null()) return plugin;
  for (const json& item : *env) {
    if (!item.is_object()) return reader.bad("an item of exec 'env' is no mapping");
    plugin.environment.emplace_back(TRY(reader.text(item, "name")),
                                    TRY(reader.text(item, "value")));
  }
  return plugin;
}

Result<> read_user(const Reader& reader,
                   const json& user,
                   const std::vector<std::string>& allow_exec,
                   Access& access) {
  for (const char* key :
       {"username", "password", "auth-provider", "as", "as-uid", "as-groups", "as-user-extra"}) {
    const auto it = user.find(key);
    if (it == user.end() || it->is_null()) continue;
    return reader.bad("'" + std::string(key) + "' is not supported",
                      "use a client certificate, a token or an exec plugin");
  }
  access.client_certificate_pem = TRY(reader.pem(user, "client-certificate"));
  access.client_key_pem = TRY(reader.pem(user, "client-key"));
  if (access.client_certificate_pem.empty() != access.client_key_pem.empty()) {
    return reader.bad("client-certificate and client-key need each other");
  }
  access.token = TRY(reader.text(user, "token"));
  const std::string token_file = TRY(reader.text(user, "tokenFile"));
  if (!token_file.empty()) {
    access.token_file = reader.resolved(token_file);
    TRY_DOING("kubeconfig '" + reader.path + "': tokenFile",
              read_file(access.token_file, kMaxSecretFile));
  }
  const auto exec = user.find("exec");
  if (exec != user.end() && !exec->is_null())
    access.exec = TRY(read_exec(reader, *exec, allow_exec));
  return {};
}

Result<json> parse(const Reader& reader) {
  const std::string text =
      TRY_DOING("kubeconfig '" + reader.path + "'", read_file(reader.path, kMaxKubeconfig));
  yaml::Limits limits;
  limits.max_bytes = kMaxKubeconfig;
  auto documents = yaml::parse_all(text, reader.path, limits);
  if (!documents) {
    // The parser may quote the line, and lines of this file are secrets: only the place is told.
    return fail(Errc::invalid, "kubeconfig '" + reader.path + "': not YAML",
                documents.error().where);
  }
  if (documents->size() != 1 || !documents->front().value->is_object()) {
    return reader.bad("not one YAML mapping");
  }
  return std::move(*documents->front().value);
}

}  // namespace

Result<Access> load_kubeconfig(const std::string& path, const KubeconfigOptions& options) {
  const std::string absolute = std::filesystem::absolute(path).lexically_normal().string();
  const Reader reader{absolute, std::filesystem::path(absolute).parent_path().string()};
  const json root = TRY(parse(reader));
  std::string name = options.context;
  if (name.empty()) name = TRY(reader.text(root, "current-context"));
  if (name.empty()) return reader.bad("no current-context", "name one: context: <name>");
  const json context = TRY(reader.entry(root, "contexts", "context", name));

  Access access;
  access.origin = "context '" + printable(name) + "' of '" + absolute + "'";
  const std::string cluster = TRY(reader.text(context, "cluster"));
  const json address = TRY(reader.entry(root, "clusters", "cluster", cluster));
  TRY(read_cluster(reader, address, access));
  const std::string user = TRY(reader.text(context, "user"));
  if (user.empty()) return access;
  const json account = TRY(reader.entry(root, "users", "user", user));
  TRY(read_user(reader, account, options.allow_exec, access));
  return access;
}

Result<Access> in_cluster_access(const std::string& host,
                                 const std::string& port,
                                 const std::string& folder) {
  if (host.empty() || port.empty()) {
    return fail(Errc::invalid, "no kubeconfig is named and this is not a pod", "",
                "name a kubeconfig for the cluster, or run as a pod with a service account");
  }
  Access access;
  access.origin = "the pod's service account";
  access.server =
      "https://" + (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port;
  access.ca_pem = TRY_DOING("service account", read_file(folder + "/ca.crt", kMaxSecretFile));
  access.token_file = folder + "/token";
  TRY_DOING("service account", read_file(access.token_file, kMaxSecretFile));
  return access;
}

}  // namespace plumb::kube
