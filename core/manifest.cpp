#include "core/manifest.h"

#include "core/closure.h"
#include "core/place.h"

namespace plumb {

std::string_view ObjectKey::group() const {
  const std::string_view text = api_version;
  const auto slash = text.find('/');
  return slash == std::string_view::npos ? std::string_view() : text.substr(0, slash);
}

std::string_view ObjectKey::version() const {
  const std::string_view text = api_version;
  const auto slash = text.find('/');
  return slash == std::string_view::npos ? text : text.substr(slash + 1);
}

std::string ObjectKey::identity() const {
  return std::string(group()) + "/" + kind + "/" + ns + "/" + name;
}

std::string ObjectKey::title() const {
  return kind + " " + (ns.empty() ? "" : ns + "/") + name;
}

std::string Place::to_string() const {
  std::string text = file;
  if (line > 0) text += ":" + std::to_string(line);
  if (line > 0 && column > 0) text += ":" + std::to_string(column);
  return text;
}

std::string_view to_string(Looked looked) noexcept {
  switch (looked) {
    case Looked::file: return "file";
    case Looked::listing: return "listing";
    case Looked::absent: return "absent";
    case Looked::folder: return "folder";
    case Looked::link: return "link";
  }
  return "file";
}

}  // namespace plumb
