#pragma once
/// The one choke point for secret values in text that leaves the process: server messages, engine
/// errors, diffs, logs. Values are searched raw, base64 and JSON-escaped.
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

class Scrubber {
 public:
  /// Values shorter than 4 bytes are ignored: replacing them would mangle ordinary words.
  void add(std::string_view secret);

  /// `text` with every known value replaced by "***", and with the patterns that the API server
  /// uses to quote a refused value (`valueUnstructured{Value:…}`) emptied.
  [[nodiscard]] std::string clean(std::string_view text) const;

 private:
  std::vector<std::string> needles_;  // longest first
};

}  // namespace plumb
