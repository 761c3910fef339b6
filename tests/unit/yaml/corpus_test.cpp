#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "source_dir.h"
#include <nlohmann/json.hpp>

#include "drivers/json/json.h"
#include "drivers/yaml/yaml.h"
#include "tests/fuzz/yaml_target.h"
#include "tests/support/catch.h"

TEST_CASE("every file of the fuzzer's corpus keeps the reader's promises", "[yaml]") {
  int files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(PLUMB_SOURCE_DIR "/tests/fuzz/yaml")) {
    INFO(entry.path());
    std::ifstream file(entry.path(), std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    CHECK(plumb::test::yaml_promise_broken(text.str()) == "");
    ++files;
  }
  CHECK(files >= 20);
}
