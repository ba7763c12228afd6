// FreshDir: a folder of output files that appears whole or not at all.
#pragma once

#include <filesystem>
#include <string>

#include "glyph/status.h"

namespace glyph {

// Files are written into a temporary folder near the target; commit() moves it into place. An object that is destroyed without
// commit() leaves nothing behind. One thread at a time.
class FreshDir {
 public:
  // Checks and holds a folder for `target`. kUsage when the target is a file, or a folder with a file for which `replaceable`
  // (called with each name in it) says false: such a folder is somebody else's. kInternal when it cannot be created.
  static Result<FreshDir> create(const std::filesystem::path& target, bool (*replaceable)(const std::string& name));

  FreshDir(FreshDir&& other) noexcept;
  FreshDir& operator=(FreshDir&&) = delete;
  ~FreshDir();

  // Where to write.
  const std::filesystem::path& path() const { return temporary_; }
  // Puts the folder in the target's place; what was there is deleted.
  Status commit();

 private:
  FreshDir(std::filesystem::path target, std::filesystem::path temporary);

  std::filesystem::path target_;
  std::filesystem::path temporary_;  // "" once committed
};

}  // namespace glyph
