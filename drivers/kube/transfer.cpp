#include "drivers/kube/transfer.h"

#include <algorithm>
#include <charconv>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>

#include "core/text.h"

namespace plumb::kube {
namespace {

constexpr std::size_t kMaxWarnings = 20;
constexpr std::size_t kMaxErrorBody = 1U << 20U;

/// A peer that vanished without a word must not swallow calls until their deadlines: the kernel
/// gives up on unacknowledged bytes after 20 s.
int on_socket(void* /*unused*/, curl_socket_t socket, curlsocktype /*purpose*/) {
  const int patience_ms = 20'000;
  setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof patience_ms);
  return CURL_SOCKOPT_OK;
}

curl_blob blob_of(const std::string& bytes) {
  // Curl only reads through this pointer; the identity and access outlive the transfer.
  return {const_cast<char*>(bytes.data()), bytes.size(), CURL_BLOB_NOCOPY};
}

bool names(std::string_view line, std::string_view name) {
  return line.size() > name.size() && line[name.size()] == ':' &&
         strncasecmp(line.data(), name.data(), name.size()) == 0;
}

std::string value_of(std::string_view line) {
  line.remove_prefix(line.find(':') + 1);
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  while (!line.empty() && static_cast<unsigned char>(line.back()) <= 0x20) line.remove_suffix(1);
  return std::string(line);
}

/// "host" and "port" of "https://host:port/prefix".
std::pair<std::string, std::string> host_and_port(const std::string& server) {
  const bool tls = server.rfind("https://", 0) == 0;
  std::string rest = server.substr(tls ? 8 : 7);
  rest = rest.substr(0, rest.find('/'));
  const auto colon = rest.rfind(':');
  if (colon == std::string::npos || rest.back() == ']') return {rest, tls ? "443" : "80"};
  return {rest.substr(0, colon), rest.substr(colon + 1)};
}

}  // namespace

Result<> Transfer::prepare(Easy easy, const Access& access) {
  easy_ = std::move(easy);
  CURL* curl = easy_.get();
  curl_easy_reset(curl);
  started_ = std::chrono::steady_clock::now();
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - started_).count();
  std::string server = access.server;
  if (!access.tls_server_name.empty()) {
    // The name goes into URL and SNI; the bytes still go to the configured address.
    const auto [host, port] = host_and_port(server);
    connect_to_.reset(curl_slist_append(nullptr, ("::" + host + ":" + port).c_str()));
    server.replace(server.find("://") + 3, host.size(), access.tls_server_name);
    curl_easy_setopt(curl, CURLOPT_CONNECT_TO, connect_to_.get());
  }
  curl_easy_setopt(curl, CURLOPT_URL, (server + request_.path).c_str());
  curl_easy_setopt(curl, CURLOPT_PRIVATE, this);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, curl_error_);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_PROXY,
                   access.proxy_url.c_str());  // "" also shuts out the environment's
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "");
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  curl_easy_setopt(curl, CURLOPT_PIPEWAIT, 1L);  // wait for the one connection, do not open sixteen
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, std::max<long>(1, left));
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, std::clamp<long>(left, 1, 10'000));
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPIDLE, 20L);
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPINTVL, 10L);
  curl_easy_setopt(curl, CURLOPT_SOCKOPTFUNCTION, on_socket);
  curl_easy_setopt(curl, CURLOPT_MAXAGE_CONN, 600L);
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  if (!request_.body.empty()) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request_.body.data());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request_.body.size()));
  }
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
  set_tls(access);
  return set_headers();
}

void Transfer::set_tls(const Access& access) {
  CURL* curl = easy_.get();
  curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, access.insecure_skip_tls_verify ? 0L : 1L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, access.insecure_skip_tls_verify ? 0L : 2L);
  if (!access.ca_pem.empty()) {
    curl_blob ca = blob_of(access.ca_pem);
    curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &ca);
  }
  if (identity_->certificate_pem.empty()) return;
  curl_blob certificate = blob_of(identity_->certificate_pem);
  curl_blob key = blob_of(identity_->key_pem);
  curl_easy_setopt(curl, CURLOPT_SSLCERT_BLOB, &certificate);
  curl_easy_setopt(curl, CURLOPT_SSLCERTTYPE, "PEM");
  curl_easy_setopt(curl, CURLOPT_SSLKEY_BLOB, &key);
  curl_easy_setopt(curl, CURLOPT_SSLKEYTYPE, "PEM");
}

Result<> Transfer::set_headers() {
  std::vector<std::string> lines = {"Accept: " + request_.accept,
                                    "User-Agent: " + request_.user_agent, "Expect:"};
  if (!request_.body.empty()) lines.push_back("Content-Type: " + request_.content_type);
  if (!identity_->token.empty()) lines.push_back("Authorization: Bearer " + identity_->token);
  for (const std::string& line : lines) {
    curl_slist* longer = curl_slist_append(headers_.get(), line.c_str());
    if (longer == nullptr) return fail(Errc::unavailable, "out of memory");
    static_cast<void>(headers_.release());  // `longer` is the same list, or its new owner
    headers_.reset(longer);
  }
  curl_easy_setopt(easy_.get(), CURLOPT_HTTPHEADER, headers_.get());
  return {};
}

std::size_t Transfer::on_header(char* bytes, std::size_t size, std::size_t count, void* self) {
  static_cast<Transfer*>(self)->header(std::string_view(bytes, size * count));
  return size * count;
}

std::size_t Transfer::on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
  // Any other number than what was given makes curl end the transfer.
  return static_cast<Transfer*>(self)->body(std::string_view(bytes, size * count)) ? size * count
                                                                                   : 0;
}

void Transfer::header(std::string_view line) {
  if (line.rfind("HTTP/", 0) == 0) {
    response_ = Response{};  // after a 1xx the real answer follows
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    response_.status = static_cast<int>(status);
  } else if (names(line, "audit-id")) {
    response_.audit_id = printable(value_of(line), 64);
  } else if (names(line, "retry-after")) {
    const std::string value = value_of(line);
    int seconds = 0;
    std::from_chars(value.data(), value.data() + value.size(), seconds);
    response_.retry_after = std::chrono::seconds(std::clamp(seconds, 0, 3600));
  } else if (names(line, "warning") && response_.warnings.size() < kMaxWarnings) {
    response_.warnings.push_back(printable(value_of(line), 300));
  }
}

bool Transfer::body(std::string_view bytes) {
  const bool good = response_.status >= 200 && response_.status < 300;
  if (!sink_ || !good) {
    const std::size_t cap = good ? request_.max_response_bytes : kMaxErrorBody;
    if (response_.body.size() + bytes.size() > cap) {
      too_large_ = true;
      return false;
    }
    response_.body.append(bytes);
    return true;
  }
  for (std::size_t end = bytes.find('\n'); end != std::string_view::npos; end = bytes.find('\n')) {
    line_.append(bytes.substr(0, end));
    bytes.remove_prefix(end + 1);
    if (!line_.empty()) sink_(line_);
    line_.clear();
  }
  line_.append(bytes);
  too_large_ = line_.size() > request_.max_response_bytes;
  return !too_large_;
}

void Transfer::finish(CURLcode code, const Access& access) {
  if (too_large_) {
    done_(fail(Errc::fault, "the API server's answer to " + request_.method + " " +
                                printable(request_.path.substr(0, request_.path.find('?'))) +
                                " is larger than we take"));
    return;
  }
  if (code != CURLE_OK) {
    done_(Failure(transport_error(code, curl_error_, access)));
    return;
  }
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  response_.status = static_cast<int>(status);
  done_(std::move(response_));
}

Error transport_error(CURLcode code, const char* detail, const Access& access) {
  const std::string cause =
      printable(detail != nullptr && *detail != '\0' ? detail : curl_easy_strerror(code), 300);
  const std::string at = "API server " + access.server + ": ";
  switch (static_cast<int>(code)) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
      return {Errc::unavailable, at + "no connection: " + cause, "",
              "is the cluster up and the address right?"};
    case CURLE_PEER_FAILED_VERIFICATION:
      return {Errc::unavailable, at + "its certificate is not to be trusted: " + cause, "",
              "check the certificate authority and server name in " + access.origin};
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
      return {Errc::denied, at + "a certificate or key cannot be used: " + cause, "",
              "check " + access.origin};
    case CURLE_OPERATION_TIMEDOUT: return {Errc::unavailable, at + "no answer in time", "", ""};
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return {Errc::unavailable, at + "the answer broke off: " + cause, "", ""};
    default: return {Errc::unavailable, at + cause, "", ""};
  }
}

}  // namespace plumb::kube
