// The "normalizer" and "pre_tokenizer" objects of tokenizer.json.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <vector>

#include "glyph/status.h"
#include "tokenize/normalizer.h"
#include "tokenize/pre_tokenizer.h"

namespace glyph {

// nullptr stands for null. kRefused naming a type or an option that is not supported.
Result<std::vector<NormalForm>> read_normal_forms(const boost::json::value* json, const std::string& where);
// The steps must end in ByteLevel.
Result<std::vector<PreTokenizerStep>> read_pre_tokenizer(const boost::json::value* json,
                                                         const std::string& where);

}  // namespace glyph
