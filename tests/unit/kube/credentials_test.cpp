#include "drivers/kube/credentials.h"

#include <sys/stat.h>

#include "tests/support/must.h"
#include "tests/support/temp_folder.h"

using namespace plumb;
using namespace plumb::kube;
using plumb::test::must;
using plumb::test::must_fail;
using plumb::test::TempFolder;

namespace {

Access exec_access(const TempFolder& folder, const std::string& script) {
  const std::string program = folder.write("plugin", "#!/bin/sh\n" + script);
  ::chmod(program.c_str(), 0700);
  Access access;
  access.server = "https://api.test";
  access.origin = "a test";
  access.exec = ExecPlugin{program,
                           {"first argument"},
                           {{"GREETING", "hello"}},
                           "client.authentication.k8s.io/v1",
                           true};
  return access;
}

}  // namespace

TEST_CASE("a token file is read again after its token was refused") {
  const TempFolder folder;
  Access access;
  access.token_file = folder.write("token", "first\n");
  Credentials credentials(access);
  const auto before = must(credentials.current());
  CHECK(before->token == "first");
  folder.write("token", "second\n");
  CHECK(must(credentials.current())->token == "first");  // not older than a minute
  CHECK(credentials.renew(before));
  CHECK(must(credentials.current())->token == "second");
  CHECK_FALSE(
      credentials.renew(must(credentials.current())));  // nothing newer: asking again is no use
}

TEST_CASE("a token with a line end in it never reaches a header") {
  Access access;
  access.origin = "context 'x'";
  access.token = "abc\r\nX-Injected: 1";
  Credentials credentials(access);
  const Error error = must_fail(credentials.current());
  CHECK(error.code == Errc::denied);
  CHECK(error.message.find("Injected") == std::string::npos);
}

TEST_CASE("an exec plugin gets its arguments and the cluster, nothing else, and is asked once") {
  const TempFolder folder;
  const std::string log = folder / "log";
  const auto access = exec_access(
      folder,
      "echo \"$1|$GREETING|$HOME|$KUBERNETES_EXEC_INFO\" >> " + log +
          "\necho '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\","
          "\"status\":{\"token\":\"from-plugin\",\"expirationTimestamp\":\"2199-01-01T00:00:00Z\"}}"
          "'\n");
  Credentials credentials(access);
  CHECK(must(credentials.current())->token == "from-plugin");
  CHECK(must(credentials.current())->token == "from-plugin");
  std::ifstream in(log);
  std::string line, more;
  std::getline(in, line);
  CHECK(line.find("first argument|hello||{") == 0);
  CHECK(line.find("\"server\":\"https://api.test\"") != std::string::npos);
  CHECK_FALSE(std::getline(in, more));
}

TEST_CASE("an expired exec credential is asked for again") {
  const TempFolder folder;
  const std::string log = folder / "log";
  const auto access =
      exec_access(folder, "echo x >> " + log +
                              "\necho '{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"t\","
                              "\"expirationTimestamp\":\"2001-01-01T00:00:00Z\"}}'\n");
  Credentials credentials(access);
  must(credentials.current());
  must(credentials.current());
  std::ifstream in(log);
  const std::string all((std::istreambuf_iterator<char>(in)), {});
  CHECK(all == "x\nx\n");
}

TEST_CASE("an exec plugin that fails or babbles is an error without its output") {
  const TempFolder folder;
  {
    Credentials credentials(exec_access(folder, "echo s3cret >&2; exit 3\n"));
    const Error error = must_fail(credentials.current());
    CHECK(error.message.find("exit status 3") != std::string::npos);
    CHECK(error.message.find("s3cret") == std::string::npos);
  }
  Credentials credentials(exec_access(folder, "echo 'token: s3cret'\n"));
  const Error error = must_fail(credentials.current());
  CHECK(error.code == Errc::denied);
  CHECK(error.message.find("s3cret") == std::string::npos);
}

TEST_CASE("times with fractions and offsets are understood") {
  CHECK(parse_rfc3339("1970-01-02T00:00:00Z") == 86'400'000);
  CHECK(parse_rfc3339("1970-01-02T02:00:00.123+02:00") == 86'400'000);
  CHECK(parse_rfc3339("1970-01-01T22:00:00-02:00") == 86'400'000);
  CHECK(parse_rfc3339("tomorrow") == 0);
}
