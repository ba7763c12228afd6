// The ladder as a drawing: a bar a row, cut into stages, and lines of the first token against pages.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "ladder/report.h"

namespace glyph {
namespace {

constexpr double kWidth = 860, kLabelWidth = 290, kBarHeight = 20, kRowHeight = 28, kPlotHeight = 240, kMargin = 16;
constexpr std::array kColours{"#4e79a7", "#f28e2b", "#59a14f"};  // vision, prefill, decode
constexpr std::array kStages{"vision", "prefill", "decode"};

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else out += c;
  }
  return out;
}

std::string text_at(double x, double y, std::string_view text, std::string_view attributes = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, attributes, escaped(text));
}

std::string milliseconds(double ms) { return ms >= 1000 ? fmt::format("{:.2f} s", ms / 1e3) : fmt::format("{:.1f} ms", ms); }

// The stages' shares of the measured whole, from `x` on.
std::string bar(const Measured& m, double x, double y, double width) {
  const std::array parts{m.stages.vision_ms, m.stages.prefill_ms, m.stages.decode_ms};
  std::string out;
  for (size_t i = 0; i < parts.size(); ++i) {
    const double part = m.stages.sum() > 0 ? width * parts[i] / m.stages.sum() : 0;
    out += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{}\" fill=\"{}\"/>\n", x, y, part, kBarHeight, kColours[i]);
    x += part;
  }
  return out;
}

std::string legend(double y) {
  std::string out;
  for (size_t i = 0; i < kStages.size(); ++i) {
    const double x = kLabelWidth + 90 * static_cast<double>(i);
    out += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"12\" height=\"12\" fill=\"{}\"/>\n", x, y - 10, kColours[i]);
    out += text_at(x + 17, y, kStages[i]);
  }
  return out;
}

// Appends a bar for each entry; returns where the next thing may stand.
double draw_rows(const LadderReport& report, double y, std::string& out) {
  double longest = 0;
  for (const LadderEntry& entry : report.entries) longest = std::max(longest, entry.measured.total_ms);
  std::string workload;
  for (const LadderEntry& entry : report.entries) {
    if (!entry.problem.empty()) continue;
    if (entry.workload != workload) {
      workload = entry.workload;
      y += kRowHeight;
      out += text_at(kMargin, y - 6, workload, "font-weight=\"bold\"");
    }
    const double width = (kWidth - kLabelWidth - 170) * entry.measured.total_ms / longest;
    out += text_at(kMargin, y + 15, entry.row.label);
    out += bar(entry.measured, kLabelWidth, y, width);
    out += text_at(kLabelWidth + width + 8, y + 15, fmt::format("{}, {:.1f}x", milliseconds(entry.measured.total_ms), speedup(report, entry)));
    y += kRowHeight;
  }
  return y;
}

// A logarithmic axis over [low, high] on [begin, end].
struct Axis {
  double low, high, begin, end;
  double at(double value) const {
    return begin + (end - begin) * (std::log(value) - std::log(low)) / std::max(1e-9, std::log(high) - std::log(low));
  }
};

struct Line {
  const char* name;
  const char* colour;
  const Measured GrowthEntry::* measured;
};

double draw_growth(const LadderReport& report, double y, std::string& out) {
  if (report.growth.empty()) return y;
  const std::array lines{Line{"as pages", kColours[0], &GrowthEntry::as_pages}, Line{"as text", kColours[1], &GrowthEntry::as_text}};
  double low = 1e300, high = 0;
  for (const GrowthEntry& entry : report.growth) {
    for (const Line& line : lines) {
      const double ms = (entry.*line.measured).first_token_ms;
      if (ms > 0) low = std::min(low, ms), high = std::max(high, ms);
    }
  }
  if (high == 0) return y;
  y += kRowHeight;
  out += text_at(kMargin, y, fmt::format("first token against pages, {}", report.growth_precision), "font-weight=\"bold\"");
  const Axis across{static_cast<double>(report.growth.front().pages), static_cast<double>(report.growth.back().pages), 90, kWidth - 150};
  const Axis up{low, high, y + kPlotHeight - 30, y + 30};
  for (const Line& line : lines) {
    std::string points;
    for (const GrowthEntry& entry : report.growth) {
      const double ms = (entry.*line.measured).first_token_ms;
      if (ms <= 0) continue;
      const double x = across.at(static_cast<double>(entry.pages)), at = up.at(ms);
      points += fmt::format("{:.1f},{:.1f} ", x, at);
      out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"/>\n", x, at, line.colour);
      out += text_at(x + 6, at + (&line == lines.data() ? 14 : -6), milliseconds(ms), fmt::format("fill=\"{}\"", line.colour));
    }
    out += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>\n", points, line.colour);
  }
  for (const GrowthEntry& entry : report.growth) {
    out += text_at(across.at(static_cast<double>(entry.pages)), y + kPlotHeight - 8, fmt::format("{} p.", entry.pages), "text-anchor=\"middle\"");
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    out += text_at(kWidth - 90, y + 20 * static_cast<double>(i + 1), lines[i].name, fmt::format("fill=\"{}\"", lines[i].colour));
  }
  return y + kPlotHeight;
}

}  // namespace

std::string ladder_svg(const LadderReport& report) {
  std::string body = text_at(kMargin, 26, fmt::format("{} on {}", report.model, report.device), "font-size=\"15\" font-weight=\"bold\"") + legend(50);
  double y = draw_rows(report, 56, body);
  y = draw_growth(report, y + 10, body);
  return fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
                     "font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{2}</svg>\n",
                     kWidth, y + kMargin, body);
}

}  // namespace glyph
