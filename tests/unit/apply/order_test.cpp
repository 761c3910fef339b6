#include "apply/order.h"

#include "tests/unit/apply/fakes.h"

using namespace plumb;
using namespace plumb::test;

TEST_CASE("waves are sorted by number, with definitions and namespaces before all", "[order]") {
  const std::vector<Manifest> objects{
      config_map("b", "1", {{"plumbline.dev/wave", "10"}}),
      config_map("a", "1", {{"plumbline.dev/wave", "-1000"}}), config_map("c"),
      simple("v1", "Namespace", "shop"),
      simple("apiextensions.k8s.io/v1", "CustomResourceDefinition", "w.x")};
  const auto waves = must(apply::waves_of(objects));
  REQUIRE(waves.size() == 4);
  CHECK(waves[0].number == apply::kFoundation);
  CHECK(waves[0].objects.size() == 2);
  CHECK(waves[1].number == -1000);
  CHECK(waves[2].number == 0);
  CHECK(waves[3].objects[0]->key.name == "b");
}

TEST_CASE("a wave must be a whole number in its bounds", "[order]") {
  for (const Json& value : {Json("soon"), Json(""), Json("1.5"), Json("1001"), Json("-1001"),
                            Json(" 1"), Json("99999999999999999999"), Json(1)}) {
    CAPTURE(value.dump());
    const Error error =
        must_fail(apply::wave_of(config_map("a", "1", {{"plumbline.dev/wave", value}})));
    CHECK(error.code == Errc::invalid);
  }
  // The word elsewhere in an object is no annotation.
  CHECK(must(apply::wave_of(config_map("a", "plumbline.dev/wave"))) == 0);
}
