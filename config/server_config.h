#pragma once
/// The server's own file (plumbd.yaml): only what cannot be in Git. docs/formats.md "Server file".
/// Unknown keys are errors with file, line and the nearest known key. Values are checked here, so
/// the rest of the code need not.
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "core/result.h"

namespace plumb::config {

enum class WhenDown { refuse, accept };
enum class Provider { github, gitea };

/// A secret is a reference, never a value in the file.
struct SecretRef {
  std::string file;  ///< absolute path; trailing newline is dropped
  std::string env;   ///< or the name of an environment variable
};
/// Reads it now. invalid: missing, empty, or a file that others may write.
[[nodiscard]] Result<std::string> read_secret(const SecretRef& reference);

struct WebhookEndpoint {
  std::string id;  ///< unguessable part of the URL, at least 16 of [A-Za-z0-9_-]
  Provider provider = Provider::gitea;
  std::vector<SecretRef> secrets;  ///< any of them may sign
};

struct Target {
  std::string cluster;
  std::string ns;  ///< "" : "<application>-<environment>"
};

/// What a repository is bound to, and may touch. A push cannot widen it.
struct RepositoryBinding {
  std::string name;
  std::string path;  ///< of the bare repository on local disk
  std::string project = "default";
  bool admin = false;
  std::vector<std::string> branches{"main"};  ///< that deploy
  std::vector<std::string> clusters;          ///< allowed; never empty
  std::vector<std::string> namespaces{"*"};   ///< globs
  std::vector<std::string> kinds{"*"};  ///< globs of "group/Kind" ("/ConfigMap", "apps/Deployment")
  std::map<std::string, Target> environments;  ///< for the folder convention; else the only cluster
  WhenDown when_down = WhenDown::refuse;
  std::chrono::milliseconds hooks_deadline{20'000};
  WhenDown on_deadline = WhenDown::refuse;  ///< of a push that could not be judged by then
  std::chrono::milliseconds hooks_wait{10'000};
  std::vector<WebhookEndpoint> webhooks;
  std::vector<std::string>
      webhook_repositories;  ///< full names or URLs that payloads may carry; empty: any
};

struct ClusterConfig {
  std::string name;
  std::string kubeconfig;  ///< path; "" = in-cluster service account
  std::string context;     ///< "" = the current one
  std::vector<std::string>
      allow_exec;  ///< programs that a kubeconfig's `exec` may start (absolute paths)
};

struct HttpConfig {
  std::string listen = "127.0.0.1:0";  ///< address:port; port 0 picks a free one; "" = no receiver
  std::string tls_certificate, tls_key;  ///< files; both or none
  bool behind_trusted_proxy = false;     ///< needed for a non-loopback address without TLS
  std::size_t max_body_bytes = 26U << 20U;
};

struct ServerConfig {
  std::string file;      ///< where it was read from
  std::string data_dir;  ///< absolute
  std::string socket;    ///< absolute path; "" = <data>/plumbd.sock
  std::string engines;   ///< path of plumb-engines; "" = beside plumbd
  HttpConfig http;
  std::vector<RepositoryBinding> repositories;
  std::vector<ClusterConfig> clusters;
  std::vector<uid_t>
      writers;  ///< peer uids that may use write commands; always also root and our own
  int workers = 4;
  std::chrono::milliseconds lease{30'000};
  std::chrono::milliseconds scan_interval{30'000};
  int retention_days = 90;
};

/// Parses and checks. The error lists the first problem; `check` below lists all.
[[nodiscard]] Result<ServerConfig> load_server_config(const std::string& path);

struct ConfigProblem {
  std::string where;    ///< "plumbd.yaml:7:3"
  std::string message;  ///< unknown key "enviroment"
  std::string hint;     ///< did you mean "environment"?
};
/// All problems of the file; empty = good.
[[nodiscard]] std::vector<ConfigProblem> check_server_config(const std::string& path);

}  // namespace plumb::config
