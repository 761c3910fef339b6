#pragma once
/// Members of untrusted JSON objects, without exceptions: a member that is missing or of another
/// type reads as empty. Any thread.
#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace plumb::json {

[[nodiscard]] std::string text(const nlohmann::json& object, const char* key);
[[nodiscard]] std::int64_t number(const nlohmann::json& object,
                                  const char* key,
                                  std::int64_t otherwise = 0);
[[nodiscard]] bool flag(const nlohmann::json& object, const char* key);
/// The member, or an empty object / list that lives for ever.
[[nodiscard]] const nlohmann::json& object(const nlohmann::json& object, const char* key);
[[nodiscard]] const nlohmann::json& list(const nlohmann::json& object, const char* key);
/// The texts of a list; other items are left out.
[[nodiscard]] std::vector<std::string> texts(const nlohmann::json& object, const char* key);

}  // namespace plumb::json
