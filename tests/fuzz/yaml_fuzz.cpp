/// libFuzzer: `scripts/fuzz yaml`.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/yaml_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string broken = plumb::test::yaml_promise_broken(text);
  if (!broken.empty()) {
    std::fprintf(stderr, "broken promise: %s\n", broken.c_str());
    std::abort();
  }
  return 0;
}
