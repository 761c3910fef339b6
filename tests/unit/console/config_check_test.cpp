#include "tests/unit/console/typed.h"

namespace plumb::test {
namespace {

using Catch::Contains;
using Json = nlohmann::json;

Said check(const TempFolder& folder, const std::string& file) {
  return type({"config", "check", file}, "/nowhere/s", folder.path());
}

TEST_CASE("config check lists every problem of a server's file with line and nearest key",
          "[console]") {
  const TempFolder folder;
  folder.write(
      "plumbd.yaml",
      "apiVersion: plumbline.dev/v1\nkind: Server\nspec:\n  data: d\n  wokers: 3\n  leese: 1s\n");
  const Said said = check(folder, "plumbd.yaml");
  CHECK(said.exit == 2);
  CHECK_THAT(said.err, Contains("plumbd.yaml:5:3: unknown key \"wokers\"") &&
                           Contains("did you mean \"workers\"?"));
  CHECK_THAT(said.err, Contains("plumbd.yaml:6:3: unknown key \"leese\""));
}

TEST_CASE("config check takes a good server's file and good applications", "[console]") {
  const TempFolder folder;
  folder.write(
      "server.yaml",
      "apiVersion: plumbline.dev/v1\nkind: Server\nspec:\n  data: d\n  clusters: [{name: eu-1}]\n"
      "  repositories: [{name: shop, path: shop.git}]\n");
  folder.write("plumbline.yaml",
               "apiVersion: plumbline.dev/v1\nkind: Application\nmetadata: {name: web}\nspec: "
               "{path: web, cluster: eu-1}\n");
  const Said server = check(folder, "server.yaml");
  INFO(server.err);
  CHECK(server.exit == 0);
  CHECK_THAT(server.out, Contains("is a good server file"));
  CHECK(check(folder, "plumbline.yaml").exit == 0);
}

TEST_CASE("config check judges a plumbline.yaml", "[console]") {
  const TempFolder folder;
  folder.write("plumbline.yaml",
               "apiVersion: plumbline.dev/v1\nkind: Application\nmetadata: {name: web}\nspec: "
               "{path: web, enviroment: dev}\n");
  const Said said = check(folder, "plumbline.yaml");
  CHECK(said.exit == 2);
  CHECK_THAT(said.err, Contains("plumbline.yaml:4:19: unknown key \"enviroment\"") &&
                           Contains("did you mean \"environment\"?"));
  folder.write("bad.yaml", "a: [\n");
  CHECK(check(folder, "bad.yaml").exit == 2);
  CHECK(check(folder, "none.yaml").exit == 2);
  CHECK(check(folder, ".").exit == 2);
}

TEST_CASE("config check --schema prints a JSON Schema", "[console]") {
  const Said said = type({"config", "check", "--schema"});
  CHECK(said.exit == 0);
  CHECK(Json::parse(said.out)["title"] == "Application of plumbline.dev/v1");
}

}  // namespace
}  // namespace plumb::test
