#include "drivers/kube/errors.h"

#include "tests/support/must.h"

using namespace plumb;
using namespace plumb::kube;
using plumb::test::must_fail;

namespace {

Response answer(int status, const std::string& message, const std::string& name = "web") {
  Response response;
  response.status = status;
  response.body = R"({"kind":"Status","apiVersion":"v1","status":"Failure","message":")" + message +
                  "\"" + (name.empty() ? std::string() : R"(,"details":{"name":")" + name + "\"}") +
                  "}";
  return response;
}

Errc code_of(int status, const std::string& message = "no") {
  return must_fail(check(answer(status, message))).code;
}

}  // namespace

TEST_CASE("each status is named by what the worker must do next") {
  CHECK(check(answer(200, "")).has_value());
  CHECK(check(answer(201, "")).has_value());
  CHECK(code_of(400) == Errc::invalid);
  CHECK(code_of(401) == Errc::denied);
  CHECK(code_of(403) == Errc::denied);
  CHECK(code_of(404) == Errc::invalid);
  CHECK(code_of(409) == Errc::conflict);
  CHECK(code_of(422) == Errc::invalid);
  CHECK(code_of(429) == Errc::unavailable);
  CHECK(code_of(500) == Errc::unavailable);
  CHECK(code_of(503) == Errc::unavailable);
  CHECK(code_of(302) == Errc::unavailable);
}

TEST_CASE("a 500 of server-side apply that speaks of the schema is permanent") {
  CHECK(code_of(500,
                "failed to create typed patch object (d/x; /v1, Kind=ConfigMap): .dat: field not "
                "declared in schema") == Errc::invalid);
  CHECK(code_of(500,
                "failed to convert new object (d/x; apps/v1, Kind=Deployment) to proper version") ==
        Errc::invalid);
  CHECK(code_of(500, ".spec.replicas: expected numeric (int or float), got string") ==
        Errc::invalid);
  CHECK(code_of(500, "Internal error occurred: failed calling webhook") == Errc::unavailable);
  CHECK(code_of(500, "etcdserver: request timed out") == Errc::unavailable);
}

TEST_CASE("a namespace on its way out is a conflict that passes, not a missing right") {
  CHECK(
      code_of(403, "unable to create new content in namespace x because it is being terminated") ==
      Errc::conflict);
}

TEST_CASE("messages are the server's, on one line, without control characters") {
  const Error error = must_fail(check(answer(422, "Deployment is invalid:\\n\\u001b[31m* spec")));
  CHECK(error.message.find('\n') == std::string::npos);
  CHECK(error.message.find('\x1b') == std::string::npos);
  CHECK(error.message.find("Deployment is invalid:") != std::string::npos);
  Response bare;
  bare.status = 502;
  bare.body = "<html>bad gateway</html>";
  CHECK(must_fail(check(bare)).message == "<html>bad gateway</html> (502)");
}

TEST_CASE("a 404 of a kind is told from a 404 of an object") {
  CHECK(is_unknown_kind(answer(404, "the server could not find the requested resource", "")));
  CHECK_FALSE(is_unknown_kind(answer(404, "deployments.apps \\\"web\\\" not found")));
  Response page;
  page.status = 404;
  page.body = "404 page not found\n";
  CHECK(is_unknown_kind(page));
}
