// Draws the documents of a comparison and writes what compare.py needs: raw pixels and the text of each line.
//
//   render_probe JOBS.jsonl    one {"text", "style", "out"} a line; writes OUT/page_001.pnm, ... and OUT/lines.json
//   render_probe --bench       prints pages a second
#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "base/text_file.h"
#include "render/bench_render.h"
#include "render/renderer.h"

namespace {

namespace json = boost::json;

bool write_pnm(const std::filesystem::path& path, const glyph::Image& image) {
  const std::string head = fmt::format("P{}\n{} {}\n255\n", image.channels == 1 ? 5 : 6, image.width, image.height);
  std::ofstream file(path, std::ios::binary);
  file << head;
  file.write(reinterpret_cast<const char*>(image.pixels.data()), static_cast<std::streamsize>(image.pixels.size()));
  return file.good();
}

glyph::Status draw(const json::object& job) {
  const std::string style_text = json::serialize(job.at("style"));
  GLYPH_ASSIGN_OR_RETURN(glyph::PageStyle style, glyph::PageStyle::parse(style_text, "style"));
  glyph::Document document;
  document.name = "document";
  document.blocks.emplace_back().text = std::string(job.at("text").as_string());
  GLYPH_ASSIGN_OR_RETURN(std::unique_ptr<glyph::Renderer> renderer,
                         glyph::Renderer::open(style.with_font_for(document)));
  const std::filesystem::path out(std::string(job.at("out").as_string()));
  std::filesystem::create_directories(out);
  const std::string all = document.text();
  json::array pages;
  bool written = true;
  GLYPH_RETURN_IF_ERROR(renderer->render(document, [&](glyph::Page&& page) {
    json::array lines;
    for (const glyph::PageLine& line : page.lines) {
      lines.emplace_back(all.substr(line.text_begin, line.text_end - line.text_begin));
    }
    pages.push_back(std::move(lines));
    written = write_pnm(out / fmt::format("page_{:03}.pnm", pages.size()), page.image);
    return written;
  }));
  std::ofstream(out / "lines.json") << json::serialize(pages);
  return {};
}

int run_jobs(const char* path) {
  std::ifstream file(path);
  std::string line;
  int failures = 0;
  while (std::getline(file, line)) {
    const glyph::Status status = draw(json::parse(line).as_object());
    if (status.ok()) continue;
    std::cerr << status.message() << "\n";
    ++failures;
  }
  return failures == 0 ? 0 : 1;
}

int run_bench() {
  const auto results = glyph::bench_render();
  if (!results.ok()) {
    std::cerr << results.status().message() << "\n";
    return 1;
  }
  for (const glyph::RenderBench& bench : *results) {
    fmt::print("{:8} {:24} {} dpi {:6.0f} characters a page {:7.0f} pages/s\n", bench.name, bench.font, bench.dpi,
               bench.characters_a_page, bench.pages_a_second);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: render_probe JOBS.jsonl | --bench\n";
    return 2;
  }
  return std::string_view(argv[1]) == "--bench" ? run_bench() : run_jobs(argv[1]);
}
