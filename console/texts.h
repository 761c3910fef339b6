#pragma once
/// Answers of the server as text. Pure functions; golden files are in tests/golden/console.
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "console/output.h"

namespace plumb::console {

/// "plumb diff A   then  plumb sync A" as lines of one command each, so that each can be copied.
[[nodiscard]] std::vector<std::string> command_lines(const std::string& next);

// text_status.cpp
[[nodiscard]] std::string status_text(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string apps_text(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string app_text(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string why_text(const nlohmann::json& answer, const Style& style);
// text_diff.cpp
[[nodiscard]] std::string diff_text(const nlohmann::json& answer, const Style& style);
// text_jobs.cpp
[[nodiscard]] std::string jobs_text(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string history_text(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string logs_text(const nlohmann::json& answer, const Style& style);
// text_wait.cpp
[[nodiscard]] std::string progress_text(const nlohmann::json& event, const Style& style);
[[nodiscard]] std::string wait_text(const nlohmann::json& answer, const Style& style);
// text_audit.cpp
[[nodiscard]] std::string audit_text(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string verified_text(const nlohmann::json& answer, const Style& style);
// text_server.cpp
[[nodiscard]] std::string clusters_text(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string repos_text(const nlohmann::json& answer, const Style& style);
[[nodiscard]] std::string version_text(const nlohmann::json& answer, const Style& style);
// text_plan.cpp
[[nodiscard]] std::string affected_text(const nlohmann::json& answer, const Style& style);
/// YAML documents, in block style; every text stays what it was.
[[nodiscard]] std::string objects_text(const nlohmann::json& answer, const Style& style);

}  // namespace plumb::console
