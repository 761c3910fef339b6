#include "source_dir.h"

#include "tests/unit/validate/cluster.h"

using namespace plumb;
using namespace plumb::test;

namespace {

constexpr std::string_view kGadgets = R"(
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.org}
spec:
  group: example.org
  scope: Cluster
  names: {kind: Gadget, plural: gadgets, singular: gadget, listKind: GadgetList}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            required: [size]
            properties:
              size: {type: string, enum: [S, M], default: M}
              color: {type: string, pattern: '^[a-z]+$', maxLength: 5}
              count: {type: integer, minimum: 1, maximum: 10}
              half: {type: number, multipleOf: 0.5}
              nick: {type: string, nullable: true}
              plain: {type: string}
              port: {x-kubernetes-int-or-string: true}
              when: {type: string, format: date-time}
              tags: {type: array, maxItems: 2, x-kubernetes-list-type: set, items: {type: string}}
              free: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {known: {type: object, properties: {a: {type: string}}}}}
              labels: {type: object, additionalProperties: {type: string}}
              choice:
                type: object
                properties: {a: {type: string}, b: {type: string}}
                oneOf: [{required: [a]}, {required: [b]}]
              notboth:
                type: object
                properties: {a: {type: string}, b: {type: string}}
                not: {required: [a, b]}
              template: {type: object, x-kubernetes-embedded-resource: true, x-kubernetes-preserve-unknown-fields: true}
  - name: v1alpha1
    served: false
    storage: false
    schema: {openAPIV3Schema: {type: object}}
  - name: v1beta1
    served: true
    storage: false
    deprecated: true
    deprecationWarning: "use v1"
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
)";

Schema with_gadgets() {
  return trimmed_schema()->with_crds({object(kGadgets).json});
}

std::vector<Verdict> gadget(const std::string& spec) {
  return judge(
      "apiVersion: example.org/v1\nkind: Gadget\nmetadata: {name: g}\nspec: {" + spec + "}\n",
      with_gadgets());
}

}  // namespace

TEST_CASE("a kind is known as soon as its CRD comes with the push", "[validate]") {
  const Schema before = trimmed_schema();
  const Schema after = with_gadgets();
  CHECK_FALSE(before->has_kind("example.org/v1", "Gadget"));
  CHECK(after->has_kind("example.org/v1", "Gadget"));
  CHECK(after->has_kind("apps/v1", "Deployment"));
  CHECK(after->namespaced("example.org/v1", "Gadget") == false);
  CHECK(after->plural("example.org/v1", "Gadget") == "gadgets");
  CHECK_FALSE(after->has_kind("example.org/v1alpha1", "Gadget"));
  CHECK(judge(kGadgets).empty());
}

TEST_CASE("a CRD in the push takes the place of the cluster's versions of its kind", "[validate]") {
  const Schema after = trimmed_schema()->with_crds(
      {object("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: "
              "{name: widgets.test.plumbline.dev}\n"
              "spec: {group: test.plumbline.dev, scope: Namespaced, names: {kind: Widget, plural: "
              "widgets},\n"
              "  versions: [{name: v2, served: true, storage: true, schema: {openAPIV3Schema: "
              "{type: object}}}]}\n")
           .json});
  CHECK(trimmed_schema()->has_kind("test.plumbline.dev/v1", "Widget"));
  CHECK_FALSE(after->has_kind("test.plumbline.dev/v1", "Widget"));
  CHECK(after->has_kind("test.plumbline.dev/v2", "Widget"));
}

TEST_CASE("the overlay outlives the schema it came from", "[validate]") {
  Schema overlay;
  {
    const Schema base = schema_of(PLUMB_SOURCE_DIR "/tests/unit/validate/data");
    overlay = base->with_crds({object(kGadgets).json});
  }
  CHECK(only(judge("apiVersion: example.org/v1\nkind: Gadget\nmetadata: {name: G}\nspec: {}\n",
                   overlay))
            .rule == "metadata.name");
}

TEST_CASE("custom resources are judged by their schema", "[validate]") {
  CHECK(
      gadget("color: red, count: 3, half: 1.5, port: http, tags: [a, b], labels: {x: z}").empty());
  struct Row {
    const char* spec;
    const char* rule;
    const char* field;
  };
  for (const Row& row : {
           Row{"colour: red", "schema.unknown", "spec.colour"},
           Row{"size: L", "schema.enum", "spec.size"},
           Row{"color: RED", "schema.format", "spec.color"},
           Row{"color: redder", "schema.range", "spec.color"},
           Row{"count: 11", "schema.range", "spec.count"},
           Row{"count: \"3\"", "schema.type", "spec.count"},
           Row{"half: 0.3", "schema.range", "spec.half"},
           Row{"plain: null", "schema.null", "spec.plain"},
           Row{"port: 1.5", "schema.type", "spec.port"},
           Row{"when: yesterday", "schema.format", "spec.when"},
           Row{"tags: [a, a]", "schema.duplicate", "spec.tags[1]"},
           Row{"tags: [a, b, c]", "schema.range", "spec.tags"},
           Row{"labels: {x: 1}", "schema.type", "spec.labels.x"},
           Row{"choice: {}", "schema.choice", "spec.choice"},
           Row{"choice: {a: x, b: z}", "schema.choice", "spec.choice"},
           Row{"notboth: {a: x, b: z}", "schema.choice", "spec.notboth"},
           Row{"template: {apiVersion: v1}", "schema.required", "spec.template"},
           Row{"template: {apiVersion: v1, kind: Pod, metadata: {labels: {a: 1}}}", "schema.type",
               "spec.template.metadata.labels.a"},
       }) {
    INFO(row.spec);
    const Verdict verdict = only(gadget(row.spec));
    CHECK(verdict.rule == row.rule);
    CHECK(verdict.field == row.field);
    CHECK(verdict.effect == Effect::deny);
  }
}

TEST_CASE("null, defaults and free objects follow what apply does", "[validate]") {
  CHECK(gadget("nick: null, size: null").empty());
  CHECK(gadget("free: {anything: {goes: 1}, known: {a: x}}").empty());
  const Verdict verdict = only(gadget("free: {known: {b: x}}"));
  CHECK(verdict.effect == Effect::warn);
  CHECK(verdict.field == "spec.free.known.b");
  CHECK(gadget("template: {apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {any: thing}}")
            .empty());
}

TEST_CASE("the choice that is wanted is spelled out", "[validate]") {
  CHECK(only(gadget("choice: {}")).message == "exactly one of \"a\", \"b\" must be set");
}

TEST_CASE("a deprecated version warns in the CRD's own words", "[validate]") {
  const Verdict verdict = only(
      judge("apiVersion: example.org/v1beta1\nkind: Gadget\nmetadata: {name: g}\nanything: 1\n",
            with_gadgets()));
  CHECK(verdict.effect == Effect::warn);
  CHECK(verdict.rule == "api.deprecated");
  CHECK(verdict.message == "use v1");
}

TEST_CASE("a CRD that is no JSON or has no names changes nothing", "[validate]") {
  const Schema after =
      trimmed_schema()->with_crds({"{", "{}", R"({"spec":{"group":"g","names":{"kind":7}}})"});
  CHECK(after->has_kind("apps/v1", "Deployment"));
}

TEST_CASE("a pattern that takes exponential time elsewhere takes none here", "[validate]") {
  const Schema schema = trimmed_schema()->with_crds(
      {object("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: "
              "{name: x.example.org}\n"
              "spec: {group: example.org, scope: Namespaced, names: {kind: X, plural: xs}, "
              "versions: [{name: v1, served: true, storage: true,\n"
              "  schema: {openAPIV3Schema: {type: object, properties: {a: {type: string, pattern: "
              "'^(a+)+$'}}}}}]}\n")
           .json});
  CHECK(only(judge("apiVersion: example.org/v1\nkind: X\nmetadata: {name: x}\na: " +
                       std::string(5000, 'a') + "!\n",
                   schema))
            .rule == "schema.format");
}
