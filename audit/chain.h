#pragma once
/// The hash chain (docs/formats.md "Audit leaf"). Private to audit/. Raw bytes, 32 each.
#include <string>
#include <string_view>

#include "drivers/crypto/crypto.h"

namespace plumb::audit {

/// Stands before the first leaf.
inline std::string chain_start() {
  return std::string(32, '\0');
}

/// The leaf hash is RFC 6962's, so that Merkle tiles can be built over the same leaves.
inline std::string chain_value(std::string_view before, std::string_view leaf) {
  std::string prefixed(1, '\0');
  prefixed += leaf;
  return crypto::sha256(std::string(before) + crypto::sha256(prefixed));
}

}  // namespace plumb::audit
