#include "batch_file.h"

#include <boost/json.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/text_file.h"
#include "json_text.h"

namespace glyph {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

constexpr size_t kMaxLineBytes = size_t{1} << 20;
constexpr size_t kMaxOutputBytes = size_t{4} << 30;
constexpr size_t kMaxFiles = 1000;
constexpr std::string_view kLineStart = "{\"id\":";

json::parse_options shallow() {
  json::parse_options options;
  options.max_depth = 16;
  return options;
}

Result<json::object> parse_object(std::string_view text) {
  if (text.size() > kMaxLineBytes) {
    return refused(fmt::format("the line has {} bytes, the limit is {}", text.size(), kMaxLineBytes));
  }
  json::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error, {}, shallow());
  if (error) return refused(fmt::format("the line is not JSON: {}", error.message()));
  if (!value.is_object()) return refused("the line is not a JSON object");
  return std::move(value.get_object());
}

Result<std::vector<fs::path>> read_files(const json::object& object) {
  const json::value* files = object.if_contains("files");
  if (files == nullptr || !files->is_array() || files->get_array().empty()) {
    return refused("\"files\" must be a list of file names");
  }
  if (files->get_array().size() > kMaxFiles) {
    return refused(fmt::format("\"files\" has {} names, the limit is {}", files->get_array().size(), kMaxFiles));
  }
  std::vector<fs::path> paths;
  for (const json::value& file : files->get_array()) {
    if (!file.is_string()) return refused("\"files\" must be a list of file names");
    paths.emplace_back(std::string(file.get_string()));
  }
  return paths;
}

Status read_fields(const json::object& object, BatchQuestion& question) {
  for (const auto& member : object) {
    const std::string_view key(member.key().data(), member.key().size());
    if (key != "id" && key != "files" && key != "question" && key != "max_tokens") {
      return refused(fmt::format("there is no field \"{}\"", key));
    }
  }
  if (question.id.is_null()) return refused("\"id\" must be a text or a whole number");
  GLYPH_ASSIGN_OR_RETURN(question.files, read_files(object));
  const json::value* text = object.if_contains("question");
  if (text == nullptr || !text->is_string() || text->get_string().empty()) return refused("\"question\" must be a text");
  question.question = std::string(text->get_string());
  if (const json::value* limit = object.if_contains("max_tokens")) {
    if (!limit->is_int64() || limit->get_int64() < 1) return refused("\"max_tokens\" must be a whole number of at least 1");
    question.max_tokens = limit->get_int64();
  }
  return {};
}

bool is_usable_id(const json::value& id) { return id.is_string() || id.is_int64() || id.is_uint64(); }

}  // namespace

BatchLine parse_batch_line(std::string_view text, size_t line) {
  BatchLine result;
  result.question.line = line;
  Result<json::object> object = parse_object(text);
  if (!object.ok()) {
    result.error = object.status();
    return result;
  }
  if (const json::value* id = object->if_contains("id"); id != nullptr && is_usable_id(*id)) result.question.id = *id;
  result.error = read_fields(*object, result.question);
  return result;
}

BatchOutput::BatchOutput(BatchOutput&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), ids_(std::move(other.ids_)),
      bad_lines_(std::move(other.bad_lines_)) {}

BatchOutput::~BatchOutput() {
  if (fd_ >= 0) ::close(fd_);
}

Result<BatchOutput> BatchOutput::open(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return internal_error(fmt::format("{}: cannot be opened: {}", path.string(), std::strerror(errno)));
  BatchOutput output(path, fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) return exhausted(fmt::format("{}: another run writes to it", path.string()));
  GLYPH_RETURN_IF_ERROR(output.load());
  return output;
}

Status BatchOutput::load() {
  GLYPH_ASSIGN_OR_RETURN(const std::string text, read_file(path_, kMaxOutputBytes));
  size_t begin = 0;
  size_t line_number = 0;
  for (size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    GLYPH_RETURN_IF_ERROR(remember(std::string_view(text).substr(begin, end - begin), ++line_number));
  }
  const std::string_view torn = std::string_view(text).substr(begin);
  if (torn.empty()) return {};
  if (torn.substr(0, kLineStart.size()) != kLineStart.substr(0, torn.size())) {
    return usage_error(fmt::format("{}: ends with something batch did not write; name another file with -o", path_.string()));
  }
  if (::ftruncate(fd_, static_cast<off_t>(begin)) != 0) {
    return internal_error(fmt::format("{}: its cut-off last line cannot be removed: {}", path_.string(), std::strerror(errno)));
  }
  return {};
}

Status BatchOutput::remember(std::string_view line, size_t line_number) {
  json::error_code error;
  const json::value value = json::parse(json::string_view(line.data(), line.size()), error, {}, shallow());
  const json::object* object = error ? nullptr : value.if_object();
  const json::value* id = object == nullptr ? nullptr : object->if_contains("id");
  if (id == nullptr || (!object->contains("answer") && !object->contains("error"))) {
    return usage_error(
        fmt::format("{}: line {} is not an answer of batch; name another file with -o", path_.string(), line_number));
  }
  BatchQuestion known;
  known.id = *id;
  if (const json::value* at = object->if_contains("line"); at != nullptr && at->is_int64()) {
    known.line = static_cast<size_t>(at->get_int64());
  }
  mark(known);
  return {};
}

void BatchOutput::mark(const BatchQuestion& question) {
  if (question.id.is_null()) bad_lines_.insert(question.line);
  else ids_.insert(json::serialize(question.id));
}

bool BatchOutput::has(const BatchQuestion& question) const {
  if (question.id.is_null()) return bad_lines_.contains(question.line);
  return ids_.contains(json::serialize(question.id));
}

Status BatchOutput::append_answer(const BatchQuestion& question, json::object answer) {
  json::object line{{"id", question.id}};
  for (auto& member : answer) line.emplace(member.key(), std::move(member.value()));
  mark(question);
  return append(line);
}

Status BatchOutput::append_error(const BatchQuestion& question, const std::string& message) {
  mark(question);
  return append({{"id", question.id}, {"line", question.line}, {"error", message}});
}

Status BatchOutput::append(const json::object& line) {
  const std::string text = json_text(line) + "\n";
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return internal_error(fmt::format("{}: cannot be written: {}", path_.string(), std::strerror(errno)));
    rest.remove_prefix(static_cast<size_t>(written));
  }
  if (::fdatasync(fd_) != 0) {
    return internal_error(fmt::format("{}: cannot be synced: {}", path_.string(), std::strerror(errno)));
  }
  return {};
}

}  // namespace glyph
