#include "drivers/yaml/yaml.h"

#include <algorithm>
#include <istream>
#include <streambuf>

#include <nlohmann/json.hpp>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "core/text.h"
#include "drivers/json/json.h"
#include "drivers/yaml/builder.h"

namespace plumb::yaml {
namespace {

/// Reads the caller's bytes in place.
class View final : public std::streambuf {
 public:
  explicit View(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // only read; the interface is older than const
    setg(begin, begin, begin + text.size());
  }
};

Place place_of(const std::string& file, const YAML::Mark& mark) {
  if (mark.is_null()) return Place{file};
  return Place{file, mark.line + 1, mark.column + 1};
}

/// Bytes that no YAML text holds. The parser would take some of them for the end of the file.
Result<> check_bytes(std::string_view text, const std::string& file, const Limits& limits) {
  if (text.size() > limits.max_bytes) {
    return fail(Errc::invalid,
                "file of " + std::to_string(text.size()) + " bytes, more than " +
                    std::to_string(limits.max_bytes),
                file);
  }
  Place place{file, 1, 1};
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f) {
      return fail(Errc::invalid,
                  "not text: byte " + std::to_string(byte) + " is a control character",
                  place.to_string());
    }
    place.line += c == '\n' ? 1 : 0;
    place.column = c == '\n' ? 1 : place.column + 1;
  }
  if (!is_utf8(text)) return fail(Errc::invalid, "not text: bytes are not UTF-8", file);
  return {};
}

/// A tab that begins the line of the problem, or one just above it, is the likely cause.
bool tab_before(std::string_view text, int line) {
  for (int at = line; at >= std::max(1, line - 1); --at) {
    const std::string_view start = line_of(text, at);
    const std::size_t content = start.find_first_not_of(' ');
    if (content != start.npos && start[content] == '\t') return true;
  }
  return false;
}

Error explain(const YAML::Exception& problem, std::string_view text, const std::string& file) {
  const Place place = place_of(file, problem.mark);
  if (place.line > 0 && tab_before(text, place.line)) {
    return Error{Errc::invalid, "a tab in the indentation", place.to_string(), "YAML wants spaces"};
  }
  return Error{Errc::invalid, "not valid YAML: " + printable(problem.msg), place.to_string()};
}

Result<std::vector<Document>> read_yaml(std::string_view text,
                                        const std::string& file,
                                        const Limits& limits) {
  View view(text);
  std::istream stream(&view);
  Builder builder(text, limits);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refused& refused) {
    return fail(Errc::invalid, refused.message, place_of(file, refused.mark).to_string(),
                refused.hint);
  } catch (const YAML::Exception& problem) {
    return Failure(explain(problem, text, file));
  } catch (const std::exception& problem) {
    return fail(Errc::invalid, std::string("not valid YAML: ") + problem.what(), file);
  }
  return builder.take();
}

/// JSON has escapes that the YAML parser does not know (surrogate pairs).
Result<std::vector<Document>> read_json(std::string_view text, const Limits& limits) {
  json::Limits bounds;
  bounds.max_bytes = limits.max_bytes;
  bounds.max_depth = limits.max_depth;
  std::vector<Document> documents(1);
  documents[0].value = std::make_unique<nlohmann::json>(TRY(json::parse(text, bounds)));
  return documents;
}

}  // namespace

Result<std::vector<Document>> parse_all(std::string_view text,
                                        const std::string& file,
                                        const Limits& limits) {
  TRY(check_bytes(text, file, limits));
  Result<std::vector<Document>> documents = read_yaml(text, file, limits);
  if (documents) return documents;
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  if (start != text.npos && text[start] == '{') {
    if (Result<std::vector<Document>> plain = read_json(text, limits)) return plain;
  }
  return documents;
}

}  // namespace plumb::yaml
