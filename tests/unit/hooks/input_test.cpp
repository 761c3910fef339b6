#include <cstdlib>

#include "hooks/environment.h"
#include "hooks/pushed_refs.h"
#include "hooks/settings.h"
#include "tests/support/catch.h"
#include "tests/support/must.h"

using namespace plumb;
using namespace plumb::hooks;
using namespace std::chrono_literals;
using test::must;
using test::must_fail;

namespace {
const std::string kA(40, 'a');
const std::string kB(40, 'b');
}  // namespace

TEST_CASE("a push is read whole or not at all") {
  CHECK(must(parse_push(kA + " " + kB + " refs/heads/main\n" + kB + " " + kA + " refs/tags/v1\n"))
            .size() == 2);
  const std::string good = kA + " " + kB + " refs/heads/main\n";
  for (const std::string& bad :
       {std::string(), good + good, good + "\n", good.substr(0, good.size() - 1), "x" + good,
        kA + "  " + kB + " refs/heads/main\n", kA + " " + kB + " refs/heads/a b\n",
        kA + " " + kB + " refs/heads/a\rb\n", kA + " " + kB + "\n",
        kA + " " + std::string(64, 'b') + " refs/heads/main\n", kA + " " + kB + " main\n",
        kA + " " + kB + " refs/heads/..\n"}) {
    CAPTURE(bad);
    CHECK(must_fail(parse_push(bad)).code == Errc::invalid);
  }
}

TEST_CASE("a ref transaction may speak of HEAD and symbolic refs, which are left out") {
  const auto refs =
      parse_updates(kA + " " + kB + " HEAD\n" + kA + " ref:refs/heads/x refs/heads/y\n" + kA + " " +
                    kB + " refs/heads/main\n");
  REQUIRE(refs.size() == 1);
  CHECK(refs[0] == RefUpdate{"refs/heads/main", kA, kB});
}

TEST_CASE("settings are read as git wrote them") {
  const auto settings = parse_settings(
      "[core]\n\tbare = true\n\tsocket = no\n[Plumbline]\n\tsocket = \"/a b;c\\\"d/plumbd.sock\" ; "
      "a comment\n\twhenDown = accept\n"
      "\tbranches = main\n\tbranches = release/1\n\tdeadline = 5s\n\twait = 0s\n[plumbline "
      "\"other\"]\n\tsocket = no\n");
  CHECK(settings.socket == "/a b;c\"d/plumbd.sock");
  CHECK_FALSE(settings.refuse_when_down);
  CHECK(settings.branches == std::vector<std::string>{"main", "release/1"});
  CHECK(settings.deadline == 5s);
  CHECK(settings.wait == 0s);
  CHECK(deploys(settings, "refs/heads/release/1"));
  CHECK_FALSE(deploys(settings, "refs/heads/release"));
  CHECK_FALSE(deploys(settings, "refs/tags/main"));
  CHECK(parse_settings("[plumbline]\ndeadline = never\nwhenDown = Accept\n").deadline == 20s);
  CHECK(parse_settings("[plumbline]\nwhenDown = Accept\n").refuse_when_down);
}

TEST_CASE("a time is a number with a unit, and never longer than a day") {
  CHECK(parse_time("60s") == 60s);
  CHECK(parse_time("20") == 20s);
  CHECK(parse_time("5m") == 5min);
  CHECK(parse_time("500ms") == 500ms);
  for (const char* bad : {"", "s", "-1s", "1.5s", "1d", "99999999999999999999s", "25h", "10 s"})
    CHECK(parse_time(bad) == 0ms);
}

TEST_CASE("the last word about waiting counts, within an hour") {
  CHECK(wait_of({}, 10s) == 10s);
  CHECK(wait_of({"plumb.wait"}, 10s) == 60s);
  CHECK(wait_of({"plumb.wait=90s"}, 10s) == 90s);
  CHECK(wait_of({"plumb.wait=90s", "plumb.nowait"}, 10s) == 0s);
  CHECK(wait_of({"plumb.wait=soon"}, 10s) == 60s);
  CHECK(wait_of({"plumb.wait=20h"}, 10s) == 1h);
}

TEST_CASE("a list of folders may hold quoted ones") {
  CHECK(split_folders("/a:/b") == std::vector<std::string>{"/a", "/b"});
  CHECK(split_folders("\"/a:b\\\"\\303\\251\\n\":/c") ==
        std::vector<std::string>{"/a:b\"\xc3\xa9\n", "/c"});
  CHECK(split_folders("").empty());
  CHECK(split_folders("::/a::") == std::vector<std::string>{"/a"});
  CHECK(split_folders("\"/open") == std::vector<std::string>{"/open"});
  CHECK(split_folders("\"\\") == std::vector<std::string>{"\\"});
}
