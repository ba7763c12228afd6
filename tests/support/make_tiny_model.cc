// make_tiny_model DIR [window=N] [script=NAME]... [seed=N] [nan]: the tiny model, for tests that run the programs.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "support/tiny_model.h"

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  glyph::TinyModelOptions options;
  for (int i = 2; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.starts_with("window=")) options.window = std::atoll(argument.c_str() + 7);
    else if (argument.starts_with("script=")) options.scripts.push_back(argument.substr(7));
    else if (argument.starts_with("page_dpi=")) options.page_dpi = std::atof(argument.c_str() + 9);
    else if (argument.starts_with("seed=")) options.seed = static_cast<uint64_t>(std::atoll(argument.c_str() + 5));
    else if (argument == "nan") options.nan_weights = true;
    else return 2;
  }
  const glyph::Status status = glyph::write_tiny_model(argv[1], options);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.message().c_str());
  return status.ok() ? 0 : 1;
}
