#include "plan/diff.h"

#include <algorithm>
#include <map>

#include <nlohmann/json.hpp>

#include "core/text.h"

namespace plumb::plan {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxFields = 50;
constexpr std::size_t kMaxValue = 120;

std::string shown(const Json& value) {
  return printable(value.is_string() ? value.get<std::string>()
                                     : value.dump(-1, ' ', true, Json::error_handler_t::replace),
                   kMaxValue);
}

std::string joined(const std::string& path, const std::string& key) {
  const bool plain = key.find_first_of(".[]\" ") == std::string::npos;
  if (!plain) return path + "[\"" + printable(key) + "\"]";
  return path.empty() ? key : path + "." + key;
}

/// Items of these lists have names of their own; the API server merges them by name too.
bool is_named_list(const Json& list) {
  return !list.empty() && std::all_of(list.begin(), list.end(), [](const Json& item) {
    return item.is_object() && item.contains("name") && item["name"].is_string();
  });
}

class FieldDiff {
 public:
  void compare(const std::string& path, const Json& before, const Json& after) {
    if (before == after || changes_.size() >= kMaxFields) return;
    if (before.is_object() && after.is_object()) return compare_maps(path, before, after);
    if (before.is_array() && after.is_array()) return compare_lists(path, before, after);
    changes_.push_back({path, shown(before), shown(after)});
  }
  std::vector<FieldChange> take() { return std::move(changes_); }

 private:
  void compare_maps(const std::string& path, const Json& before, const Json& after) {
    for (const auto& [key, value] : before.items()) {
      if (!after.contains(key)) {
        changes_.push_back({joined(path, key), shown(value), ""});
      } else {
        compare(joined(path, key), value, after[key]);
      }
    }
    for (const auto& [key, value] : after.items()) {
      if (!before.contains(key)) changes_.push_back({joined(path, key), "", shown(value)});
    }
  }

  void compare_lists(const std::string& path, const Json& before, const Json& after) {
    if (is_named_list(before) && is_named_list(after)) {
      return compare_maps_of(path, by_name(before), by_name(after));
    }
    const std::size_t both = std::min(before.size(), after.size());
    for (std::size_t i = 0; i < both; ++i) {
      compare(path + "[" + std::to_string(i) + "]", before[i], after[i]);
    }
    for (std::size_t i = both; i < before.size(); ++i) {
      changes_.push_back({path + "[" + std::to_string(i) + "]", shown(before[i]), ""});
    }
    for (std::size_t i = both; i < after.size(); ++i) {
      changes_.push_back({path + "[" + std::to_string(i) + "]", "", shown(after[i])});
    }
  }

  static std::map<std::string, Json> by_name(const Json& list) {
    std::map<std::string, Json> items;
    for (const Json& item : list) items[item["name"].get<std::string>()] = item;
    return items;
  }

  void compare_maps_of(const std::string& path,
                       const std::map<std::string, Json>& before,
                       const std::map<std::string, Json>& after) {
    for (const auto& [name, item] : before) {
      const std::string at = path + "[" + printable(name) + "]";
      const auto other = after.find(name);
      if (other == after.end()) {
        changes_.push_back({at, shown(item), ""});
      } else {
        compare(at, item, other->second);
      }
    }
    for (const auto& [name, item] : after) {
      if (!before.contains(name)) {
        changes_.push_back({path + "[" + printable(name) + "]", "", shown(item)});
      }
    }
  }

  std::vector<FieldChange> changes_;
};

std::map<std::string, const Manifest*> by_identity(const std::vector<Manifest>& objects) {
  std::map<std::string, const Manifest*> found;
  for (const Manifest& object : objects) found.emplace(object.key.identity(), &object);
  return found;
}

std::vector<FieldChange> fields_between(const Manifest& before,
                                        const Manifest& after,
                                        bool masked) {
  const Json old_value = Json::parse(before.json, nullptr, false);
  const Json new_value = Json::parse(after.json, nullptr, false);
  if (old_value.is_discarded() || new_value.is_discarded()) return {};
  FieldDiff diff;
  diff.compare("", old_value, new_value);
  auto fields = diff.take();
  if (masked) {
    for (FieldChange& field : fields) field.before = field.after = "***";
  }
  return fields;
}

}  // namespace

std::vector<ObjectChange> diff_objects(const std::vector<Manifest>& before,
                                       const std::vector<Manifest>& after) {
  const auto old_objects = by_identity(before);
  const auto new_objects = by_identity(after);
  std::vector<ObjectChange> changes;
  for (const auto& [identity, object] : new_objects) {
    const auto old = old_objects.find(identity);
    if (old == old_objects.end()) {
      changes.push_back({ObjectChange::Op::add, object->key, object->place, {}, object->tainted});
    } else if (old->second->hash != object->hash) {
      const bool masked = object->tainted || old->second->tainted;
      changes.push_back({ObjectChange::Op::change, object->key, object->place,
                         fields_between(*old->second, *object, masked), masked});
    }
  }
  for (const auto& [identity, object] : old_objects) {
    if (!new_objects.contains(identity)) {
      changes.push_back(
          {ObjectChange::Op::remove, object->key, object->place, {}, object->tainted});
    }
  }
  std::sort(changes.begin(), changes.end(), [](const ObjectChange& a, const ObjectChange& b) {
    return a.key.identity() < b.key.identity();
  });
  return changes;
}

}  // namespace plumb::plan
