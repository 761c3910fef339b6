#include <string>

#include "plan/schema_values.h"
#include "tests/support/catch.h"

using namespace plumb::plan::shape;

TEST_CASE("times are RFC 3339 with days that exist", "[validate]") {
  for (const char* good :
       {"2026-01-02T03:04:05Z", "2024-02-29T00:00:00.123456Z", "2026-01-02T03:04:05+02:00"}) {
    CHECK(is_time(good));
  }
  for (const char* bad : {"", "2026-01-02", "2023-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
                          "2026-01-02T24:00:00Z", "2026-01-02T03:04:05", "2026-01-02 03:04:05Z",
                          "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05z"}) {
    INFO(bad);
    CHECK_FALSE(is_time(bad));
  }
}

TEST_CASE("label keys may have a prefix that is a DNS name", "[validate]") {
  CHECK(is_qualified_name("app"));
  CHECK(is_qualified_name("app.kubernetes.io/name"));
  CHECK(is_qualified_name("a_B.c-9"));
  CHECK_FALSE(is_qualified_name(""));
  CHECK_FALSE(is_qualified_name("/name"));
  CHECK_FALSE(is_qualified_name("a/b/c"));
  CHECK_FALSE(is_qualified_name("Example.org/a"));
  CHECK_FALSE(is_qualified_name("-a"));
  CHECK_FALSE(is_qualified_name(std::string(64, 'a')));
  CHECK(is_label_value(""));
  CHECK_FALSE(is_label_value("a-"));
}

TEST_CASE("DNS names", "[validate]") {
  CHECK(is_dns_subdomain("a.b-c.0"));
  CHECK_FALSE(is_dns_subdomain("a..b"));
  CHECK_FALSE(is_dns_subdomain("a.b."));
  CHECK_FALSE(is_dns_subdomain("a.-b"));
  CHECK_FALSE(is_dns_label("a.b"));
  CHECK_FALSE(is_dns_label(std::string(64, 'a')));
  CHECK(is_dns_1035_label("a1"));
  CHECK_FALSE(is_dns_1035_label("1a"));
  CHECK_FALSE(is_dns_1035_label(""));
}

TEST_CASE("formats of custom resources", "[validate]") {
  struct Row {
    const char* format;
    const char* good;
    const char* bad;
  };
  for (const Row& row :
       {Row{"ipv4", "10.0.0.1", "10.0.0.256"}, Row{"ipv6", "fe80::1", "fe80:::1"},
        Row{"cidr", "10.0.0.0/8", "10.0.0.0/33"}, Row{"duration", "1h30m", "soon"},
        Row{"duration", "3 days", "3 moons"}, Row{"date", "2026-01-02", "2026-1-2"},
        Row{"uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567"}, Row{"byte", "aGk=", "aGk"},
        Row{"mac", "00:11:22:aa:bb:cc", "00:11:22"}, Row{"hostname", "a.example.org", "-a"},
        Row{"uri", "https://x/y", "not a uri"}, Row{"hexcolor", "#fff", "#ggg"},
        Row{"email", "a@b", "a"}}) {
    INFO(row.format);
    CHECK_FALSE(breaks_format(row.format, row.good));
    CHECK(breaks_format(row.format, row.bad));
  }
  CHECK_FALSE(breaks_format("no-such-format", "anything"));
}
