// ImageFetcher: pictures at http: and https: addresses, from hosts that the operator has named.
#pragma once

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>

#include "glyph/status.h"
#include "server/image_hosts.h"

namespace glyph {

struct ImageFetchOptions {
  ImageHosts hosts = {};                     // empty: nothing is fetched
  size_t max_bytes = size_t{32} << 20;       // of one picture
  double seconds = 10;                       // for one picture, all of it
  int max_redirects = 3;                     // each to an allowed host, none from https: to http:
  int max_at_once = 2;                       // pictures; more are kExhausted, since a worker thread waits for each
  std::filesystem::path ca_file = {};        // certificates to trust besides the system's; "": none
};

struct FetchedImage {
  std::string media_type;  // "image/png"
  std::string bytes;
};

// Any thread.
class ImageFetcher {
 public:
  explicit ImageFetcher(ImageFetchOptions options) : options_(std::move(options)) {}

  // kUsage with a sentence when the address may not be asked. Asks nobody.
  Status check(std::string_view url) const;
  // Blocks. kUsage: check(), and whatever went wrong there: it cannot be reached, its certificate is not valid, it answers with an
  // error, something that is no picture, too much or too slowly; kExhausted; kCancelled.
  Result<FetchedImage> fetch(std::string_view url, std::stop_token stop) const;

 private:
  const ImageFetchOptions options_;
  mutable std::atomic<int> num_fetching_{0};
};

}  // namespace glyph
