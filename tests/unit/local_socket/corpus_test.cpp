#include <filesystem>
#include <fstream>
#include <iterator>

#include "source_dir.h"

#include "tests/fuzz/local_socket_target.h"
#include "tests/support/catch.h"

using namespace plumb;

TEST_CASE("the corpus of frames gives whole frames or an end, never more") {
  int files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(PLUMB_SOURCE_DIR "/tests/fuzz/local_socket")) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    CAPTURE(entry.path().filename());
    const int expected = entry.path().filename() == "two-frames" ? 2 : 0;
    CHECK(test::read_frames(bytes) == expected);
    ++files;
  }
  CHECK(files >= 8);
}
