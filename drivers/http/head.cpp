#include "drivers/http/head.h"

#include <algorithm>
#include <charconv>

namespace plumb::http {
namespace {

constexpr std::size_t kMaxHeaders = 100;
constexpr std::size_t kMaxPath = 1024;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lowered(std::string_view text) {
  std::string made(text);
  std::transform(made.begin(), made.end(), made.begin(), lower);
  return made;
}

bool is_token(std::string_view text) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') ||
           marks.find(c) != marks.npos;
  });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// No control character but the tab; bytes past 127 are allowed in values.
bool is_clean(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
}

int parse_request_line(std::string_view line, Request& into) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == line.npos || first == last) return 400;
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(method) || method.size() > 16) return 400;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return 400;
  if (target.size() > kMaxPath) return 414;
  if (!target.starts_with('/') || !is_clean(target) || target.find(' ') != target.npos) return 400;
  into.method = std::string(method);
  into.path = std::string(target.substr(0, target.find('?')));
  return 0;
}

int parse_header(std::string_view line, Request& into) {
  const auto colon = line.find(':');
  if (colon == line.npos || !is_token(line.substr(0, colon))) return 400;  // also a folded line
  if (into.headers.size() == kMaxHeaders) return 431;
  into.headers.emplace_back(lowered(line.substr(0, colon)),
                            std::string(trimmed(line.substr(colon + 1))));
  return 0;
}

/// How long the body is; an ambiguous answer is how requests are smuggled.
int parse_framing(Head& into) {
  const Request& request = into.request;
  const int lengths = request.count("content-length");
  const int encodings = request.count("transfer-encoding");
  if (lengths > 1 || encodings > 1 || lengths + encodings > 1) return 400;
  if (encodings == 1) {
    if (lowered(*request.header("transfer-encoding")) != "chunked") return 400;
    into.chunked = true;
  }
  if (lengths == 1) {
    const std::string text = *request.header("content-length");
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc::result_out_of_range) return 413;
    if (error != std::errc() || end != text.data() + text.size()) return 400;
    into.content_length = value;
  }
  // A compressed body would be signed in one form and read in another, and may be a bomb.
  const auto encoding = request.header("content-encoding");
  if (request.count("content-encoding") > 1) return 415;
  if (encoding && lowered(*encoding) != "identity") return 415;
  if (const auto expect = request.header("expect")) {
    if (lowered(*expect) != "100-continue") return 417;
    into.expects_continue = true;
  }
  return 0;
}

int parse_lines(std::string_view bytes, Head& into) {
  bool first = true;
  while (true) {
    const auto end = bytes.find("\r\n");
    if (end == bytes.npos) return 400;
    const std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(end + 2);
    if (line.empty() && !first) break;
    if (!is_clean(line)) return 400;
    const int status =
        first ? parse_request_line(line, into.request) : parse_header(line, into.request);
    if (status != 0) return status;
    first = false;
  }
  return bytes.empty() ? parse_framing(into) : 400;
}

}  // namespace

int Request::count(std::string_view name) const {
  return static_cast<int>(std::count_if(headers.begin(), headers.end(),
                                        [&](const auto& header) { return header.first == name; }));
}

std::optional<std::string> Request::header(std::string_view name) const {
  if (count(name) != 1) return std::nullopt;
  return std::find_if(headers.begin(), headers.end(),
                      [&](const auto& header) { return header.first == name; })
      ->second;
}

Head parse_head(std::string_view bytes) {
  Head made;
  made.refuse_with = parse_lines(bytes, made);
  return made;
}

}  // namespace plumb::http
