// Which writing systems a text uses, and whether a model reads them.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace glyph {

struct ScriptCount {
  std::string script;  // Unicode's long name: "Latin", "Han", "Cyrillic"
  size_t letters = 0;
};

// Letters by script, most frequent first. Digits, punctuation and marks belong to no script and are not counted.
std::vector<ScriptCount> count_scripts(std::string_view text);

// One sentence when at least a tenth of the letters of `text` are of scripts that are not among `readable`; it names them and their
// share. Nothing when `readable` is empty: the model does not say. `what` begins the sentence: a file's name.
std::optional<std::string> unread_scripts_warning(std::string_view what, std::string_view text,
                                                  std::span<const std::string> readable);

}  // namespace glyph
