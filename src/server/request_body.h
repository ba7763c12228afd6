// RequestBody: the bytes of a request's body as they come, in memory or in a temporary file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

#include "server/http_message.h"

namespace glyph {

// One thread.
class RequestBody {
 public:
  // From now on bytes go to a new file in `dir`. 0, or the errno that says why there can be none.
  int to_file(const std::filesystem::path& dir);
  // False: there is no room on the disk.
  bool append(HttpRequest& request, std::string_view bytes);
  uint64_t num_bytes() const { return num_bytes_; }
  // The body is complete: hands the file to the request, whose last copy deletes it.
  void finish(HttpRequest& request);
  // Forgets it, and deletes the file.
  void clear();

 private:
  struct File;
  std::shared_ptr<File> file_;
  uint64_t num_bytes_ = 0;
};

}  // namespace glyph
