#include "server/process_figures.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace glyph {
namespace {

// Fields of /proc/self/stat after the name, which may hold anything; the first is the state, field 3 of proc(5).
std::vector<std::string> stat_fields() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  std::istringstream rest(line.substr(std::min(line.rfind(')') + 1, line.size())));
  std::vector<std::string> fields;
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

double boot_seconds() {
  std::ifstream file("/proc/stat");
  double seconds = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("btime ")) seconds = std::strtod(line.c_str() + 6, nullptr);
  }
  return seconds;
}

uint64_t count_open_fds() {
  std::error_code error;
  uint64_t count = 0;
  for (std::filesystem::directory_iterator at("/proc/self/fd", error), end; !error && at != end; at.increment(error)) ++count;
  return count;
}

}  // namespace

ProcessFigures process_figures() {
  const std::vector<std::string> fields = stat_fields();
  const auto field = [&](size_t number) {  // as proc(5) counts
    return number - 3 < fields.size() ? std::strtod(fields[number - 3].c_str(), nullptr) : 0;
  };
  const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  ProcessFigures figures;
  figures.cpu_seconds = (field(14) + field(15)) / ticks;
  figures.start_seconds = boot_seconds() + field(22) / ticks;
  figures.virtual_bytes = static_cast<uint64_t>(field(23));
  figures.resident_bytes = static_cast<uint64_t>(field(24)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  figures.open_fds = count_open_fds();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.max_fds = limit.rlim_cur;
  return figures;
}

void write_process_figures(Exposition& out, const ProcessFigures& figures) {
  const auto write = [&](const char* name, Exposition::Type type, const char* help, double value) {
    out.family(name, type, help);
    out.sample({}, value);
  };
  using Type = Exposition::Type;
  write("process_cpu_seconds_total", Type::kCounter, "Processor time of all threads.", figures.cpu_seconds);
  write("process_start_time_seconds", Type::kGauge, "When the server started, Unix time.", figures.start_seconds);
  write("process_resident_memory_bytes", Type::kGauge, "Resident memory.", static_cast<double>(figures.resident_bytes));
  write("process_virtual_memory_bytes", Type::kGauge, "Virtual memory.", static_cast<double>(figures.virtual_bytes));
  write("process_open_fds", Type::kGauge, "Open files and sockets.", static_cast<double>(figures.open_fds));
  write("process_max_fds", Type::kGauge, "Open files and sockets that are allowed.", static_cast<double>(figures.max_fds));
}

}  // namespace glyph
