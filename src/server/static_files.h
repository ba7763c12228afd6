// The files of web/, inside the program.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/http_message.h"

namespace glyph {

struct EmbeddedFile {
  std::string_view path;  // "/app.js"
  std::string_view bytes;
};

// Written by cmake/EmbedFiles.cmake.
std::vector<EmbeddedFile> embedded_files();

// The file at request.path ("/" is /index.html), 304 when the client has it, nothing (status 0) when there is none.
HttpResponse static_response(const HttpRequest& request);
bool is_static_file(std::string_view path);

}  // namespace glyph
