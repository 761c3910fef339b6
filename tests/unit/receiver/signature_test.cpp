#include "receiver/signature.h"

#include "tests/support/catch.h"
#include "tests/unit/receiver/sender.h"

using namespace plumb;        // NOLINT: tests
using namespace plumb::test;  // NOLINT: tests
using config::Provider;

namespace {

const std::string kBody = "{\"a\":1}";

bool is_signed(Provider provider, const http::Headers& headers, const std::string& body = kBody) {
  const http::Request request{"POST", "/", headers};
  return receiver::is_signed(provider, request, body, {"older", kSecret});
}

std::string hex(const std::string& secret = kSecret) {
  return crypto::hmac_sha256_hex(secret, kBody);
}

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(c));
  return text;
}

}  // namespace

TEST_CASE("any of an endpoint's secrets may sign, in either case of digits", "[receiver]") {
  CHECK(is_signed(Provider::github, {{"x-hub-signature-256", "sha256=" + hex()}}));
  CHECK(is_signed(Provider::github, {{"x-hub-signature-256", "sha256=" + hex("older")}}));
  CHECK(is_signed(Provider::github, {{"x-hub-signature-256", "sha256=" + upper(hex())}}));
  CHECK(is_signed(Provider::gitea, {{"x-gitea-signature", hex()}}));
  CHECK(is_signed(Provider::gitea, {{"x-forgejo-signature", hex()}, {"x-gitea-signature", hex()}}));
}

TEST_CASE("a signature that is malformed or of other bytes is none", "[receiver]") {
  const std::string name = "x-hub-signature-256";
  CHECK(!is_signed(Provider::github, {}));
  CHECK(!is_signed(Provider::github, {{name, "sha256="}}));
  CHECK(!is_signed(Provider::github, {{name, ""}}));
  CHECK(!is_signed(Provider::github, {{name, hex()}}));
  CHECK(!is_signed(Provider::github, {{name, "sha1=" + hex()}}));
  CHECK(!is_signed(Provider::github, {{name, "sha256=" + hex().substr(1)}}));
  CHECK(!is_signed(Provider::github, {{name, "sha256=" + hex() + "0"}}));
  CHECK(!is_signed(Provider::github, {{name, "sha256=" + std::string(64, 'g')}}));
  CHECK(!is_signed(Provider::github, {{name, "sha256=" + hex("wrong")}}));
  CHECK(!is_signed(Provider::github, {{name, "sha256=" + hex()}}, "{\"a\": 1}"));
  CHECK(!is_signed(Provider::gitea, {{"x-gitea-signature", ""}}));
}

TEST_CASE("SHA-1 counts for nothing, beside a wrong SHA-256 as well", "[receiver]") {
  const std::pair<std::string, std::string> sha1{"x-hub-signature", "sha1=" + std::string(40, 'a')};
  CHECK(!is_signed(Provider::github, {sha1}));
  CHECK(!is_signed(Provider::github, {sha1, {"x-hub-signature-256", "sha256=" + hex("wrong")}}));
  CHECK(is_signed(Provider::github, {sha1, {"x-hub-signature-256", "sha256=" + hex()}}));
}

TEST_CASE("every signature that is there must be right", "[receiver]") {
  CHECK(!is_signed(Provider::gitea,
                   {{"x-forgejo-signature", hex("wrong")}, {"x-gitea-signature", hex()}}));
  CHECK(!is_signed(Provider::gitea, {{"x-forgejo-signature", ""}, {"x-gitea-signature", hex()}}));
  CHECK(!is_signed(Provider::gitea,
                   {{"x-forgejo-signature", hex("older")}, {"x-gitea-signature", hex()}}));
  CHECK(!is_signed(Provider::github, {{"x-hub-signature-256", "sha256=" + hex()},
                                      {"x-hub-signature-256", "sha256=" + hex()}}));
}
