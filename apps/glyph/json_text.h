// JSON for people too: Boost.JSON writes 72.5 as 7.25E1, this writes 72.5.
#pragma once

#include <boost/json/value.hpp>

#include <string>

namespace glyph {

// One line without blanks, shortest exact numbers. Infinities and NaN become null.
std::string json_text(const boost::json::value& value);

// Rounded to `digits` decimals, for measurements.
double rounded(double value, int digits);

}  // namespace glyph
