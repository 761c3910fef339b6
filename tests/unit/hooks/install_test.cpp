#include <fstream>

#include <sys/stat.h>

#include "tests/unit/hooks/push.h"

using namespace plumb;
using namespace plumb::test;
using console::HookState;

namespace {

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

console::HookSettings settings() {
  return {"/run/plumbline/plumbd.sock",
          false,
          {"main", "release/1"},
          std::chrono::seconds(5),
          std::chrono::milliseconds(1500)};
}

}  // namespace

TEST_CASE("install is whole, the same when run twice, and uninstall puts everything back") {
  const Push push;
  const std::string hook = push.bare() + "/hooks/pre-receive";
  std::ofstream(hook) << "#!/bin/sh\nexit 0\n";
  REQUIRE(::chmod(hook.c_str(), 0755) == 0);
  const std::string config = read(push.bare() + "/config");
  for (int i = 0; i < 2; ++i) {
    const auto report = must(console::install_hooks(push.bare(), PLUMB_HOOK, settings()));
    CHECK(report.complete());
    CHECK(report.hooks[0].kept ==
          std::filesystem::canonical(push.bare()).string() + "/hooks/pre-receive.before-plumbline");
    CHECK(report.settings.branches == settings().branches);
    CHECK(report.settings.wait == settings().wait);
    CHECK_FALSE(report.settings.refuse_when_down);
  }
  CHECK(std::filesystem::read_symlink(hook) == PLUMB_HOOK);
  CHECK(push.git({"config", "receive.advertisePushOptions"}, push.bare()) == "true");
  for (int i = 0; i < 2; ++i) CHECK_FALSE(must(console::uninstall_hooks(push.bare())).complete());
  CHECK(read(hook) == "#!/bin/sh\nexit 0\n");
  CHECK(read(push.bare() + "/config") == config);
  CHECK_FALSE(std::filesystem::exists(push.bare() + "/hooks/post-receive"));
}

TEST_CASE("a setting that was there before comes back") {
  const Push push;
  push.git({"config", "receive.advertisePushOptions", "false"}, push.bare());
  must(console::install_hooks(push.bare(), PLUMB_HOOK, settings()));
  must(console::uninstall_hooks(push.bare()));
  CHECK(push.git({"config", "receive.advertisePushOptions"}, push.bare()) == "false");
}

TEST_CASE("status tells absent, outdated, foreign and not executable hooks apart") {
  const Push push;
  auto report = must(console::hooks_status(push.bare(), PLUMB_HOOK));
  CHECK_FALSE(report.complete());
  CHECK(report.hooks[0].is == HookState::Is::absent);
  std::filesystem::create_symlink("/opt/old/plumb-hook", push.bare() + "/hooks/pre-receive");
  std::ofstream(push.bare() + "/hooks/post-receive") << "#!/bin/sh\n";
  report = must(console::hooks_status(push.bare(), PLUMB_HOOK));
  CHECK(report.hooks[0].is == HookState::Is::outdated);
  CHECK_FALSE(report.hooks[0].note.empty());
  CHECK(report.hooks[2].is == HookState::Is::foreign);
  CHECK(report.hooks[2].note.find("not executable") != std::string::npos);
  must(console::install_hooks(push.bare(), PLUMB_HOOK, settings()));
  report = must(console::hooks_status(push.bare(), PLUMB_HOOK));
  CHECK(report.complete());
  CHECK(report.hooks[2].note.find("not executable") != std::string::npos);
}

TEST_CASE("an install that was interrupted is finished by the next") {
  const Push push;
  const std::string hook = push.bare() + "/hooks/pre-receive";
  std::ofstream(hook) << "#!/bin/sh\n";
  std::filesystem::create_hard_link(hook, hook + ".before-plumbline");  // kept, not yet replaced
  CHECK(must(console::install_hooks(push.bare(), PLUMB_HOOK, settings())).complete());
  CHECK(read(hook + ".before-plumbline") == "#!/bin/sh\n");
}

TEST_CASE("what would lose or share somebody's hooks is refused with the way out") {
  const Push push;
  SECTION("a second foreign hook") {
    std::ofstream(push.bare() + "/hooks/pre-receive") << "new";
    std::ofstream(push.bare() + "/hooks/pre-receive.before-plumbline") << "old";
    CHECK(must_fail(console::install_hooks(push.bare(), PLUMB_HOOK, settings())).code ==
          Errc::conflict);
    CHECK(read(push.bare() + "/hooks/pre-receive") == "new");
  }
  SECTION("a folder of hooks outside") {
    push.git({"config", "core.hooksPath", push.folder().path()}, push.bare());
    const auto error = must_fail(console::install_hooks(push.bare(), PLUMB_HOOK, settings()));
    CHECK(error.code == Errc::conflict);
    CHECK(error.hint.find("core.hooksPath") != std::string::npos);
  }
  SECTION("a folder of hooks inside is followed") {
    push.git({"config", "core.hooksPath", "custom"}, push.bare());
    std::filesystem::create_directory(push.bare() + "/custom");
    CHECK(must(console::install_hooks(push.bare(), PLUMB_HOOK, settings()))
              .folder.ends_with("/custom"));
    CHECK(std::filesystem::is_symlink(push.bare() + "/custom/pre-receive"));
  }
  SECTION("a work tree") {
    CHECK(must_fail(console::install_hooks(push.folder() / "work", PLUMB_HOOK, settings())).code ==
          Errc::invalid);
    CHECK(must_fail(console::install_hooks(push.folder() / "work/.git", PLUMB_HOOK, settings()))
              .code == Errc::invalid);
    CHECK(must_fail(console::install_hooks(push.folder() / "none", PLUMB_HOOK, settings())).code ==
          Errc::invalid);
  }
  SECTION("a program that everybody may write") {
    const auto program = push.folder().write("open/plumb-hook", "x");
    REQUIRE(::chmod(program.c_str(), 0777) == 0);
    CHECK(must_fail(console::install_hooks(push.bare(), program, settings())).code ==
          Errc::invalid);
    CHECK_FALSE(std::filesystem::exists(push.bare() + "/hooks/pre-receive"));
  }
}
