#include "fresh_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace glyph {
namespace fs = std::filesystem;
namespace {

Status check_target(const fs::path& target, bool (*replaceable)(const std::string&)) {
  std::error_code error;
  const fs::file_status status = fs::status(target, error);
  if (!fs::exists(status)) return {};
  if (!fs::is_directory(status)) return usage_error(fmt::format("{}: is a file, not a folder", target.string()));
  fs::directory_iterator entries(target, error);
  if (error) return internal_error(fmt::format("{}: cannot be read: {}", target.string(), error.message()));
  for (const fs::directory_entry& entry : entries) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file(error) && replaceable(name)) continue;
    return usage_error(fmt::format("{}: holds '{}', which this command did not write; name another folder", target.string(), name));
  }
  return {};
}

fs::path nearest_existing_folder(fs::path path) {
  std::error_code ignored;
  while (!path.empty() && !fs::is_directory(path, ignored)) path = path.parent_path();
  return path.empty() ? fs::path(".") : path;
}

}  // namespace

FreshDir::FreshDir(fs::path target, fs::path temporary) : target_(std::move(target)), temporary_(std::move(temporary)) {}

FreshDir::FreshDir(FreshDir&& other) noexcept
    : target_(std::move(other.target_)), temporary_(std::exchange(other.temporary_, {})) {}

FreshDir::~FreshDir() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
}

Result<FreshDir> FreshDir::create(const fs::path& target, bool (*replaceable)(const std::string&)) {
  const fs::path plain = target.has_filename() ? target : target.parent_path();  // "out/" is "out"
  if (plain.empty()) return usage_error("the output folder has no name");
  GLYPH_RETURN_IF_ERROR(check_target(plain, replaceable));
  std::string temporary = (nearest_existing_folder(plain.parent_path()) / ".glyph-XXXXXX").string();
  if (::mkdtemp(temporary.data()) == nullptr) {
    return internal_error(fmt::format("{}: cannot be created: {}", plain.string(), std::strerror(errno)));
  }
  ::chmod(temporary.c_str(), 0755);
  return FreshDir(plain, temporary);
}

Status FreshDir::commit() {
  std::error_code error;
  if (target_.has_parent_path()) fs::create_directories(target_.parent_path(), error);
  const bool replaces = fs::exists(target_, error);
  const unsigned flags = replaces ? RENAME_EXCHANGE : RENAME_NOREPLACE;
  if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, target_.c_str(), flags) != 0) {
    return internal_error(fmt::format("{}: cannot be put in place: {}", target_.string(), std::strerror(errno)));
  }
  if (replaces) fs::remove_all(temporary_, error);
  temporary_.clear();
  return {};
}

}  // namespace glyph
