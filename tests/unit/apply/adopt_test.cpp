#include "apply/adopt.h"

#include "tests/unit/apply/fakes.h"

using namespace plumb;
using namespace plumb::test;

namespace {

Json entry(const std::string& manager,
           const std::string& operation,
           const Json& fields,
           const std::string& subresource = {}) {
  Json out{{"manager", manager}, {"operation", operation}, {"fieldsV1", fields}};
  if (!subresource.empty()) out["subresource"] = subresource;
  return out;
}

Json live_with(std::initializer_list<Json> list) {
  Json entries = Json::array();
  for (const Json& one : list) entries.push_back(one);
  return {{"metadata", {{"resourceVersion", "42"}, {"managedFields", entries}}}};
}

}  // namespace

TEST_CASE("an object that no client-side apply made needs no migration", "[adopt]") {
  CHECK_FALSE(apply::adoption_patch(Json::object()).has_value());
  CHECK_FALSE(apply::adoption_patch(live_with({})).has_value());
  CHECK_FALSE(
      apply::adoption_patch(live_with({entry("plumbline", "Apply", {{"f:a", Json::object()}})}))
          .has_value());
  // Before our first apply there is no entry of ours to move the fields to.
  CHECK_FALSE(apply::adoption_patch(live_with({entry("kubectl-client-side-apply", "Update",
                                                     {{"f:a", Json::object()}})}))
                  .has_value());
}

TEST_CASE("what client-side apply holds moves to us, what others hold stays", "[adopt]") {
  const Json nothing = Json::object();
  const auto patch = apply::adoption_patch(live_with(
      {entry("plumbline", "Apply", {{"f:data", {{"f:kept", nothing}}}}),
       entry("kubectl-client-side-apply", "Update",
             {{"f:data", {{"f:kept", nothing}, {"f:dropped", nothing}}}, {"f:x", nothing}}),
       entry("kube-controller-manager", "Update", {{"f:status", nothing}}, "status"),
       entry("kubectl-edit", "Update", {{"f:y", nothing}})}));
  REQUIRE(patch.has_value());
  const Json steps = must(plumb::json::parse(*patch));
  REQUIRE(steps.size() == 2);
  const Json& kept = steps[0]["value"];
  REQUIRE(kept.size() == 3);
  CHECK(kept[0]["fieldsV1"] ==
        Json{{"f:data", {{"f:kept", nothing}, {"f:dropped", nothing}}}, {"f:x", nothing}});
  CHECK(kept[1]["manager"] == "kube-controller-manager");
  CHECK(kept[2]["manager"] == "kubectl-edit");
  // Bound to what was read: a writer in between makes it a conflict.
  CHECK(steps[1] ==
        Json{{"op", "replace"}, {"path", "/metadata/resourceVersion"}, {"value", "42"}});
}

TEST_CASE("only an Apply entry of our own name makes an object ours", "[adopt]") {
  CHECK(apply::is_ours(live_with({entry("plumbline", "Apply", Json::object())})));
  CHECK_FALSE(apply::is_ours(live_with({entry("plumbline", "Update", Json::object())})));
  CHECK_FALSE(apply::is_ours(live_with({entry("plumbline", "Apply", Json::object(), "status")})));
  CHECK_FALSE(apply::is_ours(live_with({entry("flux", "Apply", Json::object())})));
  CHECK_FALSE(apply::is_ours(Json::array()));
}
