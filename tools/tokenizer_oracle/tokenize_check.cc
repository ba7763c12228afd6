// tokenize_check MODEL_DIR FILE CHUNK_BYTES [plain]: encodes the file chunk by chunk and writes, for each
// chunk, the number of its ids and the ids (int32, little-endian) to stdout. Speed (CPU time) goes to stderr.
// For oracle.py.
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/text_file.h"
#include "tokenize/tokenizer.h"

namespace {

int fail(const glyph::Status& status) {
  std::fprintf(stderr, "%s\n", status.message().c_str());
  return 3;
}

// CPU seconds of this thread: other programs on the machine do not count.
double now() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: tokenize_check MODEL_DIR FILE CHUNK_BYTES [plain]\n");
    return 2;
  }
  const double start = now();
  const auto tokenizer = glyph::Tokenizer::load(argv[1]);
  if (!tokenizer.ok()) return fail(tokenizer.status());
  const double loaded = now();
  const auto text = glyph::read_file(argv[2], size_t{1} << 32);
  if (!text.ok()) return fail(text.status());
  const size_t chunk = std::strtoull(argv[3], nullptr, 10);
  if (chunk == 0) return 2;
  const bool plain = argc > 4 && std::string(argv[4]) == "plain";
  double seconds = 0.0;
  size_t num_ids = 0, wrong = 0;
  for (size_t at = 0; at < text->size(); at += chunk) {
    const std::string_view part = std::string_view(*text).substr(at, chunk);
    const double begin = now();
    const std::vector<int32_t> ids = plain ? tokenizer->encode_plain(part) : tokenizer->encode(part);
    seconds += now() - begin;
    num_ids += ids.size();
    for (const int32_t id : ids)
      wrong += id < 0 || id >= tokenizer->vocab_size() || (plain && tokenizer->is_added(id));
    const auto count = static_cast<int32_t>(ids.size());
    std::fwrite(&count, sizeof(count), 1, stdout);
    std::fwrite(ids.data(), sizeof(int32_t), ids.size(), stdout);
  }
  std::fprintf(stderr, "load %.3f s, %zu bytes, %zu ids, %.1f MB a CPU second\n", loaded - start,
               text->size(), num_ids, static_cast<double>(text->size()) / 1e6 / seconds);
  return wrong == 0 ? 0 : 1;
}
