#include "apply/order.h"

#include <charconv>
#include <map>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "drivers/json/json.h"

namespace plumb::apply {
namespace {

using nlohmann::literals::operator""_json_pointer;

constexpr const char* kWave = "plumbline.dev/wave";
constexpr int kMostWave = 1000;

Failure bad_wave(const Manifest& manifest, const std::string& value) {
  return fail(Errc::invalid,
              manifest.key.title() + ": annotation " + kWave + " is '" + printable(value) +
                  "', not an integer between -1000 and 1000",
              manifest.place.file.empty() ? "" : manifest.place.to_string());
}

}  // namespace

bool is_definition(const ObjectKey& key) {
  return key.group() == "apiextensions.k8s.io" && key.kind == "CustomResourceDefinition";
}

bool is_namespace(const ObjectKey& key) {
  return key.group().empty() && key.kind == "Namespace";
}

Result<int> wave_of(const Manifest& manifest) {
  if (is_definition(manifest.key) || is_namespace(manifest.key)) return kFoundation;
  if (manifest.json.find(kWave) == std::string::npos) return 0;  // spares most objects the parsing
  const auto object = TRY(json::parse(manifest.json));
  const auto value = object.value("/metadata/annotations"_json_pointer, nlohmann::json::object());
  if (!value.is_object() || !value.contains(kWave)) return 0;
  if (!value[kWave].is_string()) return bad_wave(manifest, value[kWave].dump());
  const auto text = value[kWave].get<std::string>();
  int wave = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), wave);
  if (problem != std::errc() || end != text.data() + text.size() || wave < -kMostWave ||
      wave > kMostWave) {
    return bad_wave(manifest, text);
  }
  return wave;
}

Result<std::vector<Wave>> waves_of(const std::vector<Manifest>& objects) {
  std::map<int, Wave> waves;
  for (const Manifest& manifest : objects) {
    const int number = TRY(wave_of(manifest));
    Wave& wave = waves[number];
    wave.number = number;
    wave.objects.push_back(&manifest);
  }
  std::vector<Wave> sorted;
  for (auto& [number, wave] : waves) sorted.push_back(std::move(wave));
  return sorted;
}

}  // namespace plumb::apply
