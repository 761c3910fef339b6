#pragma once
/// drivers/kube: how to reach one cluster and as whom, from a kubeconfig or from inside a pod.
///
///   Taken    certificate authority, client certificate and key (file or data), token, token file,
///            exec plugins that the operator listed, tls-server-name, insecure-skip-tls-verify,
///            proxy-url (never a proxy from the environment)
///   Refused  passwords, auth-provider, impersonation, exec plugins that nobody listed: to ignore
///            them would be to act as somebody else
///   Errors   invalid: unreadable or malformed; the message names the file and the context
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"

namespace plumb::kube {

/// A program that answers with an ExecCredential (client.authentication.k8s.io v1 or v1beta1).
struct ExecPlugin {
  std::string program;  ///< absolute, listed by the operator
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> environment;
  std::string api_version;
  bool provide_cluster_info = false;
};

/// Holds secrets: never log it.
struct Access {
  std::string origin;  ///< for messages: "context 'admin' of '/etc/plumbline/eu-1.kubeconfig'"
  std::string server;  ///< "https://10.0.0.1:6443", no slash at the end
  std::string ca_pem;  ///< "" = the system's authorities
  std::string client_certificate_pem;
  std::string client_key_pem;
  std::string token;
  std::string token_file;  ///< read again when it is a minute old; wins over `token`
  std::optional<ExecPlugin> exec;
  std::string tls_server_name;  ///< name in the server's certificate when it is not the host's
  bool insecure_skip_tls_verify = false;
  std::string proxy_url;
};

struct KubeconfigOptions {
  std::string context;                  ///< "" = current-context
  std::vector<std::string> allow_exec;  ///< programs that `exec` may start
};

/// Reads a kubeconfig file. Relative paths in it count from its folder.
[[nodiscard]] Result<Access> load_kubeconfig(const std::string& path,
                                             const KubeconfigOptions& options = {});

/// The service account of the pod we run in. `host` and `port` are KUBERNETES_SERVICE_HOST and
/// KUBERNETES_SERVICE_PORT, read by the caller.
[[nodiscard]] Result<Access> in_cluster_access(
    const std::string& host,
    const std::string& port,
    const std::string& folder = "/var/run/secrets/kubernetes.io/serviceaccount");

}  // namespace plumb::kube
