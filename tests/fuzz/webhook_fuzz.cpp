/// libFuzzer: `scripts/fuzz webhook`.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/webhook_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string broken = plumb::test::webhook_promise_broken(bytes);
  if (!broken.empty()) {
    std::fprintf(stderr, "broken promise: %s\n", broken.c_str());
    std::abort();
  }
  return 0;
}
