#include "tests/support/control_plane.h"

#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace plumb::test {
namespace {

using std::chrono::steady_clock;

std::string text_of(BIO* bio) {
  char* bytes = nullptr;
  const long length = BIO_get_mem_data(bio, &bytes);
  std::string out(bytes, static_cast<std::size_t>(length));
  BIO_free(bio);
  return out;
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (extension == nullptr) throw std::runtime_error("certificate extension " + value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

/// Signed by `authority`, or by itself when that is null.
Pem sign(const Pem* authority,
         const std::string& name,
         const std::string& organisation,
         const std::string& names) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  static long serial = 1000;
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86'400);
  X509_set_pubkey(certificate, key);
  X509_NAME* subject = X509_get_subject_name(certificate);
  const auto add = [&](const char* field, const std::string& value) {
    X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(value.c_str()), -1, -1, 0);
  };
  if (!organisation.empty()) add("O", organisation);
  add("CN", name);
  X509* issuer = certificate;
  EVP_PKEY* issuer_key = key;
  if (authority != nullptr) {
    BIO* in = BIO_new_mem_buf(authority->certificate.data(),
                              static_cast<int>(authority->certificate.size()));
    issuer = PEM_read_bio_X509(in, nullptr, nullptr, nullptr);
    BIO_free(in);
    in = BIO_new_mem_buf(authority->key.data(), static_cast<int>(authority->key.size()));
    issuer_key = PEM_read_bio_PrivateKey(in, nullptr, nullptr, nullptr);
    BIO_free(in);
  }
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  add_extension(certificate, issuer, NID_basic_constraints,
                authority == nullptr ? "critical,CA:TRUE" : "CA:FALSE");
  if (authority != nullptr)
    add_extension(certificate, issuer, NID_ext_key_usage, "serverAuth,clientAuth");
  if (!names.empty()) add_extension(certificate, issuer, NID_subject_alt_name, names);
  X509_sign(certificate, issuer_key, EVP_sha256());
  Pem pem;
  BIO* out = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(out, certificate);
  pem.certificate = text_of(out);
  out = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey_traditional(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  pem.key = text_of(out);
  if (authority != nullptr) {
    X509_free(issuer);
    EVP_PKEY_free(issuer_key);
  }
  X509_free(certificate);
  EVP_PKEY_free(key);
  return pem;
}

int free_port() {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ::bind(probe, reinterpret_cast<sockaddr*>(&address), sizeof address);
  ::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &length);
  ::close(probe);
  return ntohs(address.sin_port);
}

void pause_briefly() {
  ::poll(nullptr, 0, 50);
}

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

}  // namespace

Pem make_authority(const std::string& name) {
  return sign(nullptr, name, "", "");
}
Pem make_certificate(const Pem& authority,
                     const std::string& name,
                     const std::string& organisation,
                     bool server) {
  return sign(&authority, name, organisation,
              server ? "IP:127.0.0.1,DNS:localhost,DNS:kubernetes.test" : "");
}

/// A child that dies with us; its output goes to a log file.
struct ControlPlane::Process {
  Process(std::vector<std::string> argv, const std::string& log_file)
      : log(log_file), name(argv[0]) {
    std::vector<char*> raw;
    for (std::string& argument : argv) raw.push_back(argument.data());
    raw.push_back(nullptr);
    pid = ::fork();
    if (pid != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::execv(raw[0], raw.data());
    ::_exit(127);
  }
  ~Process() {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  void must_live() const {
    if (::waitpid(pid, nullptr, WNOHANG) == 0) return;
    const std::string all = slurp(log);
    throw std::runtime_error(name +
                             " ended: " + all.substr(all.size() > 2000 ? all.size() - 2000 : 0));
  }
  pid_t pid = -1;
  std::string log;
  std::string name;
};

ControlPlane& ControlPlane::shared() {
  static ControlPlane plane;
  return plane;
}

std::string ControlPlane::program(const std::string& name) const {
  const std::string path = programs_ + "/" + name;
  if (::access(path.c_str(), X_OK) != 0) {
    throw std::runtime_error("this test needs a real API server, and there is no " + path +
                             ": run scripts/setup, or name the folder in PLUMB_CONTROL_PLANE_BIN");
  }
  return path;
}

ControlPlane::ControlPlane(bool controllers) {
  const char* named = std::getenv("PLUMB_CONTROL_PLANE_BIN");
  const char* home = std::getenv("HOME");
  programs_ =
      named != nullptr ? named : std::string(home != nullptr ? home : "") + "/.cache/plumbline/bin";
  for (const char* name : {"etcd", "kube-apiserver", "kubectl"}) static_cast<void>(program(name));
  etcd_port_ = free_port();
  peer_port_ = free_port();
  port_ = free_port();
  write_files();
  start_etcd();
  start_api_server();
  if (controllers) start_controllers();
}

ControlPlane::~ControlPlane() = default;

std::string ControlPlane::server() const {
  return "https://127.0.0.1:" + std::to_string(port_);
}

void ControlPlane::write_files() {
  authority_ = make_authority("plumbline test authority");
  server_ = make_certificate(authority_, "kube-apiserver", "", true);
  admin_ = make_certificate(authority_, "admin", "system:masters", false);
  folder_.write("ca.pem", authority_.certificate);
  folder_.write("server.pem", server_.certificate);
  folder_.write("server.key", server_.key);
  folder_.write("admin.pem", admin_.certificate);
  folder_.write("admin.key", admin_.key);
  folder_.write("accounts.key", make_authority("accounts").key);
  folder_.write("tokens.csv", std::string(kAdminToken) + ",admin,1,\"system:masters\"\n" +
                                  kNobodyToken + ",nobody,2\n");
  folder_.write("admin.kubeconfig", R"(apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: ")" +
                                        server() + R"(", certificate-authority: ca.pem}}]
users: [{name: admin, user: {client-certificate: admin.pem, client-key: admin.key}}]
contexts: [{name: test, context: {cluster: test, user: admin}}]
current-context: test
)");
}

void ControlPlane::start_etcd() {
  const std::string client = "http://127.0.0.1:" + std::to_string(etcd_port_);
  const std::string peer = "http://127.0.0.1:" + std::to_string(peer_port_);
  etcd_ = std::make_unique<Process>(
      std::vector<std::string>{program("etcd"), "--data-dir", folder_ / "etcd",
                               "--listen-client-urls", client, "--advertise-client-urls", client,
                               "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                               "--initial-cluster", "default=" + peer, "--unsafe-no-fsync",
                               "--log-level", "error"},
      folder_ / "etcd.log");
}

void ControlPlane::start_api_server() {
  api_ = std::make_unique<Process>(
      std::vector<std::string>{
          program("kube-apiserver"),
          "--etcd-servers=http://127.0.0.1:" + std::to_string(etcd_port_),
          "--bind-address=127.0.0.1", "--secure-port=" + std::to_string(port_),
          "--tls-cert-file=" + (folder_ / "server.pem"),
          "--tls-private-key-file=" + (folder_ / "server.key"),
          "--client-ca-file=" + (folder_ / "ca.pem"),
          "--token-auth-file=" + (folder_ / "tokens.csv"), "--authorization-mode=RBAC",
          "--service-account-issuer=https://kubernetes.default.svc",
          "--service-account-key-file=" + (folder_ / "accounts.key"),
          "--service-account-signing-key-file=" + (folder_ / "accounts.key"),
          "--service-cluster-ip-range=10.99.0.0/16", "--disable-admission-plugins=ServiceAccount",
          "--endpoint-reconciler-type=none"},
      folder_ / "apiserver.log");
  const auto deadline = steady_clock::now() + std::chrono::seconds(120);
  while (true) {
    api_->must_live();
    etcd_->must_live();
    try {
      if (kubectl({"get", "--raw", "/readyz"}) == "ok" &&
          kubectl({"get", "namespace", "kube-system", "default", "-o", "name"}).size() > 20) {
        return;
      }
    } catch (const std::runtime_error&) {
      if (steady_clock::now() > deadline) throw;
    }
    pause_briefly();
  }
}

void ControlPlane::start_controllers() {
  controllers_ = std::make_unique<Process>(
      std::vector<std::string>{program("kube-controller-manager"), "--kubeconfig=" + kubeconfig(),
                               "--leader-elect=false", "--secure-port=0", "--kube-api-qps=300",
                               "--kube-api-burst=600",
                               "--service-account-private-key-file=" + (folder_ / "accounts.key")},
      folder_ / "controllers.log");
}

void ControlPlane::stop_api_server() {
  api_.reset();
}

std::string ControlPlane::kubectl(const std::vector<std::string>& arguments,
                                  const std::string& input) {
  static int number = 0;
  const std::string mark = std::to_string(++number);
  folder_.write("in-" + mark, input);
  std::vector<std::string> argv{program("kubectl"), "--kubeconfig", kubeconfig(),
                                "--request-timeout=20s"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  std::vector<char*> raw;
  for (std::string& argument : argv) raw.push_back(argument.data());
  raw.push_back(nullptr);
  const std::string in_file = folder_ / ("in-" + mark);
  const std::string out_file = folder_ / ("out-" + mark);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(::open(in_file.c_str(), O_RDONLY), 0);
    const int out = ::open(out_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::setenv("HOME", "/nonexistent", 1);  // no discovery cache in the developer's home
    ::execv(raw[0], raw.data());
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  const std::string output = slurp(out_file);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw std::runtime_error("kubectl " + (arguments.empty() ? "" : arguments[0]) + ": " + output);
  }
  return output;
}

}  // namespace plumb::test
