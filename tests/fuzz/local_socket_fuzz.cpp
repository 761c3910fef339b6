/// libFuzzer: `scripts/fuzz local_socket`.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/local_socket_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static_cast<void>(plumb::test::read_frames({reinterpret_cast<const char*>(data), size}));
  return 0;
}
