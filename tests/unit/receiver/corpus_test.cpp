#include <filesystem>
#include <fstream>
#include <sstream>

#include "source_dir.h"

#include "tests/fuzz/webhook_target.h"
#include "tests/support/catch.h"

TEST_CASE("every file of the fuzzer's corpus keeps the receiver's promises", "[receiver]") {
  int files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(PLUMB_SOURCE_DIR "/tests/fuzz/webhook")) {
    std::ifstream file(entry.path(), std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    // Each beginning of it too, as a sender that breaks off would leave it.
    const std::string bytes = text.str();
    for (std::size_t size = bytes.size(); size > 0; size -= std::max<std::size_t>(1, size / 40)) {
      INFO(entry.path() << ", the first " << size << " bytes");
      CHECK(plumb::test::webhook_promise_broken(std::string_view(bytes).substr(0, size)) == "");
    }
    ++files;
  }
  CHECK(files >= 20);
}
