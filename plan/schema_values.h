#pragma once
/// Rules for single values, as the API server has them. Pure.
#include <string_view>

namespace plumb::plan::shape {

/// "100m", "1.5Gi", "1e6"; not "1GiB", "1 Gi" or "".
[[nodiscard]] bool is_quantity(std::string_view text);
/// Standard base64 with padding; line breaks are skipped; empty is fine.
[[nodiscard]] bool is_base64(std::string_view text);
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
