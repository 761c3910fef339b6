#include "drivers/http/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace plumb::http {
namespace {

Failure wrong(const std::string& doing) {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return fail(Errc::invalid, doing + ": " + (reason == nullptr ? "unknown reason" : reason), "",
              "spec.http.tls needs a PEM certificate (with its chain) and its key, both readable "
              "by plumbd");
}

}  // namespace

void FreeContext::operator()(ssl_ctx_st* raw) const noexcept {
  SSL_CTX_free(raw);
}
void FreeSession::operator()(ssl_st* raw) const noexcept {
  SSL_free(raw);
}

Result<Context> load_context(const std::string& certificate, const std::string& key) {
  Context made(SSL_CTX_new(TLS_server_method()));
  if (!made) return wrong("start TLS");
  SSL_CTX_set_min_proto_version(made.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(made.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(made.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS);
  if (SSL_CTX_use_certificate_chain_file(made.get(), certificate.c_str()) != 1) {
    return wrong("read certificate '" + certificate + "'");
  }
  if (SSL_CTX_use_PrivateKey_file(made.get(), key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return wrong("read key '" + key + "'");
  }
  if (SSL_CTX_check_private_key(made.get()) != 1) {
    return wrong("key '" + key + "' for certificate '" + certificate + "'");
  }
  return made;
}

}  // namespace plumb::http
