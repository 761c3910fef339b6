#include <openssl/ssl.h>

#include "tests/support/catch.h"
#include "tests/support/control_plane.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/http/echo.h"

using namespace plumb;        // NOLINT: tests
using namespace plumb::test;  // NOLINT: tests

namespace {

http::Options with_certificate(const TempFolder& folder) {
  const Pem made = make_certificate(make_authority("test"), "plumbd", "", true);
  http::Options options;
  options.certificate = folder.write("cert.pem", made.certificate);
  options.key = folder.write("key.pem", made.key);
  return options;
}

/// "" when the handshake fails.
std::string ask_over_tls(const std::string& address, const std::string& request, int newest) {
  RawClient client(address);
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  &SSL_CTX_free);
  SSL_CTX_set_max_proto_version(context.get(), newest);
  const std::unique_ptr<SSL, decltype(&SSL_free)> session(SSL_new(context.get()), &SSL_free);
  SSL_set_fd(session.get(), client.fd());
  if (SSL_connect(session.get()) != 1) return "";
  SSL_write(session.get(), request.data(), static_cast<int>(request.size()));
  std::string got;
  char part[4096];
  for (int size = 0; (size = SSL_read(session.get(), part, sizeof part)) > 0;) {
    got.append(part, static_cast<std::size_t>(size));
  }
  return got;
}

}  // namespace

TEST_CASE("requests travel over TLS 1.3 and 1.2, not over older ones", "[http]") {
  const TempFolder folder;
  Echo echo(with_certificate(folder));
  const std::string request = post(50'000) + std::string(50'000, 'a');
  CHECK(body_of(ask_over_tls(echo.at(), request, TLS1_3_VERSION)) == "50000 bytes\n");
  CHECK(body_of(ask_over_tls(echo.at(), request, TLS1_2_VERSION)) == "50000 bytes\n");
  CHECK(ask_over_tls(echo.at(), request, TLS1_1_VERSION).empty());
}

TEST_CASE("plain HTTP on a TLS port and silence in the handshake get nowhere", "[http]") {
  const TempFolder folder;
  auto options = with_certificate(folder);
  options.head_time = std::chrono::milliseconds(200);
  Echo echo(options);
  CHECK(status_of(ask(echo.at(), post(1) + "a")) == 0);
  RawClient silent(echo.at());
  CHECK(silent.receive().empty());
  CHECK(echo.served == 0);
}

TEST_CASE("a certificate that cannot be used stops the start and says which file", "[http]") {
  const TempFolder folder;
  auto options = with_certificate(folder);
  options.listen = "127.0.0.1:0";
  auto wrong = options;
  wrong.certificate = folder / "none.pem";
  auto error = must_fail(http::Server::start(wrong, {}, {}));
  CHECK(error.code == Errc::invalid);
  CHECK(error.message.find("none.pem") != std::string::npos);
  wrong = options;
  wrong.key = folder.write("other.pem", make_authority("other").key);
  CHECK(must_fail(http::Server::start(wrong, {}, {})).code == Errc::invalid);
}
