#pragma once
/// A real etcd and kube-apiserver for tests: free ports, a folder of its own, RBAC, tokens and
/// client certificates. The programs come from the folder named by PLUMB_CONTROL_PLANE_BIN, or
/// ~/.cache/plumbline/bin (scripts/setup puts them there). When they are missing tests fail, they
/// do not skip.
#include <memory>
#include <string>
#include <vector>

#include "tests/support/temp_folder.h"

namespace plumb::test {

/// A certificate authority of a test, and what it signs. PEM texts.
struct Pem {
  std::string certificate;
  std::string key;
};
Pem make_authority(const std::string& name);
/// `organisation` "" = none; `server`: with the names 127.0.0.1 and localhost.
Pem make_certificate(const Pem& authority,
                     const std::string& name,
                     const std::string& organisation,
                     bool server);

class ControlPlane {
 public:
  /// One per test executable, started when first asked for. Throws with a clear text.
  static ControlPlane& shared();

  /// `controllers`: also kube-controller-manager.
  explicit ControlPlane(bool controllers = false);
  ~ControlPlane();
  ControlPlane(const ControlPlane&) = delete;
  ControlPlane& operator=(const ControlPlane&) = delete;

  [[nodiscard]] std::string server() const;  ///< "https://127.0.0.1:41234"
  [[nodiscard]] const std::string& ca_pem() const { return authority_.certificate; }
  [[nodiscard]] const Pem& admin() const { return admin_; }  ///< of system:masters
  [[nodiscard]] std::string kubeconfig() const { return folder_ / "admin.kubeconfig"; }
  [[nodiscard]] const TempFolder& folder() const { return folder_; }

  static constexpr const char* kAdminToken = "admin-token-1f6c1d";
  static constexpr const char* kNobodyToken = "nobody-token-93aa02";  ///< known, without any right

  /// Runs kubectl as admin with these arguments and this standard input; returns its output.
  std::string kubectl(const std::vector<std::string>& arguments, const std::string& input = {});

  void stop_api_server();   ///< SIGKILL
  void start_api_server();  ///< on the same port

 private:
  struct Process;
  void write_files();
  void start_etcd();
  void start_controllers();
  [[nodiscard]] std::string program(const std::string& name) const;

  TempFolder folder_;
  std::string programs_;
  int etcd_port_ = 0;
  int peer_port_ = 0;
  int port_ = 0;
  Pem authority_, admin_, server_;
  std::unique_ptr<Process> etcd_, api_, controllers_;
};

}  // namespace plumb::test
