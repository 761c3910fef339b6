#pragma once
/// Takes over from a client-side `kubectl apply`: without this, keys that Git drops would stay
/// live for ever, since kubectl's manager still holds them. Pure; private to apply/.
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace plumb::apply {

inline constexpr const char* kFieldManager = "plumbline";

/// A JSON patch that moves what kubectl's client-side managers hold to our Apply entry, bound to
/// the object's resource version. nullopt: nothing to move. After it one more apply drops what the
/// manifest does not hold.
[[nodiscard]] std::optional<std::string> adoption_patch(const nlohmann::json& live);

/// True if our manager has an Apply entry on the object.
[[nodiscard]] bool is_ours(const nlohmann::json& live);

}  // namespace plumb::apply
