#include "server/saved_document.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>
#include <boost/json/value_to.hpp>
#include <exception>

#include "base/text_file.h"
#include "cache/page_list.h"

namespace glyph {
namespace fs = std::filesystem;
namespace json = boost::json;
namespace {

constexpr size_t kMaxMetaBytes = size_t{1} << 20;
constexpr size_t kMaxReadingBytes = size_t{16} << 20;

std::optional<json::object> load_object(const fs::path& file, size_t max_bytes) {
  const auto text = read_file(file, max_bytes);
  if (!text.ok()) return std::nullopt;
  boost::system::error_code bad;
  json::value value = json::parse(*text, bad);
  if (bad || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

}  // namespace

Status save_meta(const fs::path& dir, const SavedMeta& meta) {
  const json::object object{{"name", meta.name}, {"style", meta.style}, {"created_at", meta.created_at}};
  return write_file_atomically(dir / "meta.json", json::serialize(object));
}

std::optional<SavedMeta> load_meta(const fs::path& dir) {
  const auto object = load_object(dir / "meta.json", kMaxMetaBytes);
  const json::value* name = object ? object->if_contains("name") : nullptr;
  if (name == nullptr || !name->is_string()) return std::nullopt;
  SavedMeta meta;
  meta.name = json::value_to<std::string>(*name);
  if (const auto* style = object->if_contains("style"); style != nullptr && style->is_string()) meta.style = json::value_to<std::string>(*style);
  if (const auto* created = object->if_contains("created_at"); created != nullptr && created->is_int64()) meta.created_at = created->get_int64();
  return meta;
}

Status save_reading(const fs::path& dir, const SavedReading& reading) {
  json::array pages;
  for (const Source::Page& page : reading.known.pages) pages.push_back({hex(page.key), page.num_tokens});
  const json::object object{{"identity", reading.identity}, {"pages", std::move(pages)}, {"text_tokens", reading.known.text_tokens},
                            {"prompt_tokens", reading.prompt_tokens}, {"image_tokens", reading.image_tokens}, {"dpi", reading.dpi},
                            {"warnings", json::value_from(reading.warnings)}};
  return write_file_atomically(dir / "reading.json", json::serialize(object));
}

std::optional<SavedReading> parse_saved_reading(std::string_view text) {
  try {
    const json::object object = json::parse(json::string_view(text.data(), text.size())).as_object();
    SavedReading reading;
    reading.identity = json::value_to<std::string>(object.at("identity"));
    for (const json::value& page : object.at("pages").as_array()) {
      Source::Page& known = reading.known.pages.emplace_back();
      if (!parse_hex(json::value_to<std::string>(page.at(0)), known.key)) return std::nullopt;
      known.num_tokens = page.at(1).to_number<int64_t>();
      if (known.num_tokens < 1) return std::nullopt;
    }
    reading.known.text_tokens = object.at("text_tokens").to_number<int64_t>();
    reading.prompt_tokens = object.at("prompt_tokens").to_number<int64_t>();
    reading.image_tokens = object.at("image_tokens").to_number<int64_t>();
    reading.dpi = object.at("dpi").to_number<double>();
    reading.warnings = json::value_to<std::vector<std::string>>(object.at("warnings"));
    return reading;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

std::optional<SavedReading> load_reading(const fs::path& dir) {
  const auto text = read_file(dir / "reading.json", kMaxReadingBytes);
  return text.ok() ? parse_saved_reading(*text) : std::nullopt;
}

}  // namespace glyph
