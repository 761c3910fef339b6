#pragma once
/// Rules for single values, as the API server has them. Pure.
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace plumb::plan::shape {

/// "100m", "1.5Gi", "1e6"; not "1GiB", "1 Gi" or "".
[[nodiscard]] bool is_quantity(std::string_view text);
/// Standard base64 with padding; line breaks are skipped; empty is fine.
[[nodiscard]] bool is_base64(std::string_view text);
/// The bytes of a text that is_base64() takes.
[[nodiscard]] std::string from_base64(std::string_view text);
/// How much a quantity is, to about eighteen digits; nullopt: none, or too large to say.
[[nodiscard]] std::optional<long double> quantity(const nlohmann::json& value);
/// Five fields of cron's alphabet, or "@daily" and its like.
[[nodiscard]] bool is_schedule(std::string_view text);
/// RFC 3339, as Go reads it.
[[nodiscard]] bool is_time(std::string_view text);

/// True if `format` is a format that the server checks in custom resources and `text` breaks it.
[[nodiscard]] bool breaks_format(std::string_view format, std::string_view text);

[[nodiscard]] bool is_dns_label(std::string_view text);       ///< RFC 1123, at most 63
[[nodiscard]] bool is_dns_1035_label(std::string_view text);  ///< begins with a letter
[[nodiscard]] bool is_dns_subdomain(std::string_view text);   ///< at most 253
[[nodiscard]] bool is_qualified_name(std::string_view key);   ///< "example.org/name": label keys
[[nodiscard]] bool is_label_value(std::string_view value);
[[nodiscard]] bool is_config_key(std::string_view key);  ///< keys of ConfigMap and Secret

}  // namespace plumb::plan::shape
