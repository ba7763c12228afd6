// bench render: pages a second of the renderer, one thread, no PNG.
#include <boost/json.hpp>
#include <fmt/format.h>

#include "benchmarks.h"
#include "json_text.h"
#include "render/bench_render.h"

namespace glyph {
namespace json = boost::json;

Result<BenchReport> report_render(const Settings&, const BenchArguments&) {
  GLYPH_ASSIGN_OR_RETURN(const std::vector<RenderBench> languages, bench_render());
  BenchReport report;
  report.table = fmt::format("{:10} {:32} {:>4} {:>12} {:>10}\n", "text", "font", "dpi", "characters", "pages/s");
  json::array rows;
  for (const RenderBench& row : languages) {
    report.table += fmt::format("{:10} {:32} {:4g} {:12.0f} {:10.0f}\n", row.name, row.font, row.dpi, row.characters_a_page,
                                row.pages_a_second);
    rows.push_back({{"text", row.name}, {"font", row.font}, {"dpi", row.dpi}, {"pages", row.num_pages},
                    {"characters_per_page", rounded(row.characters_a_page, 1)}, {"pages_per_s", rounded(row.pages_a_second, 1)}});
  }
  report.data = {{"render", std::move(rows)}};
  return report;
}

}  // namespace glyph
