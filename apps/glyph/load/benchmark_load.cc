// bench load: many clients at a server at once, against one that asks alone. Over real sockets, to a server that is there or to one of its own.
#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/text_file.h"
#include "benchmarks.h"
#include "engine/stopwatch.h"
#include "fresh_dir.h"
#include "json_text.h"
#include "load/asking.h"
#include "replica_options.h"
#include "serve_options.h"

namespace glyph {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

constexpr int64_t kAnswerTokens = 64;
constexpr int64_t kQuestionsAClient = 4;
constexpr size_t kMaxKeyBytes = 4096;

// A server in this process, on a port of its own and with a state directory that goes with it.
class OwnServer {
 public:
  static Result<std::unique_ptr<OwnServer>> start(const Settings& settings) {
    GLYPH_ASSIGN_OR_RETURN(ServerOptions options, server_options(settings));
    options.http.host = "127.0.0.1";
    options.http.port = 0;
    options.api_keys.clear();
    options.rates = {};
    GLYPH_ASSIGN_OR_RETURN(const std::vector<ModelOptions> models, replica_options(settings));
    GLYPH_RETURN_IF_ERROR(fit_memory(settings, models, options.schedule));
    GLYPH_ASSIGN_OR_RETURN(std::vector<std::unique_ptr<Engine>> engines, open_engines(models));
    std::error_code error;
    const fs::path folder = fs::temp_directory_path(error);
    if (error) return internal_error(fmt::format("there is no folder for temporary files: {}", error.message()));
    // Never committed: it is removed with this object.
    GLYPH_ASSIGN_OR_RETURN(FreshDir state, FreshDir::create(folder / "glyph-load", nullptr));
    options.state_dir = state.path();
    options.disk_dir = options.state_dir / "cache";
    GLYPH_ASSIGN_OR_RETURN(std::unique_ptr<Server> server, Server::open(replicas_of(engines), options));
    return std::unique_ptr<OwnServer>(new OwnServer(std::move(engines), std::move(state), std::move(server)));
  }
  ~OwnServer() {
    server_->stop();
    thread_.join();
  }
  OwnServer(const OwnServer&) = delete;
  OwnServer& operator=(const OwnServer&) = delete;

  std::string url() const { return fmt::format("http://127.0.0.1:{}/", server_->port()); }

 private:
  OwnServer(std::vector<std::unique_ptr<Engine>> engines, FreshDir state, std::unique_ptr<Server> server)
      : engines_(std::move(engines)), state_(std::move(state)), server_(std::move(server)), thread_([this] { server_->run(); }) {}

  std::vector<std::unique_ptr<Engine>> engines_;
  FreshDir state_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

struct Target {
  RemoteUrl server;
  std::string key;
  std::string model;
  std::vector<std::string> documents;
  int64_t max_tokens = 0;
  std::stop_token stop;
};

struct Phase {
  std::string name;
  std::vector<LoadAnswer> answers;
  double seconds = 0;
};

// `clients` ask `questions` together, each its next one when it has its answer.
Result<Phase> ask_together(const Target& target, int64_t clients, int64_t questions) {
  Phase phase{clients == 1 ? "one after another" : fmt::format("{} at once", clients), {}, 0};
  std::atomic<int64_t> next{0};
  std::mutex mutex;
  Status problem;
  const auto run = [&] {
    HttpSession session(target.server, target.key, target.stop);
    for (int64_t number; (number = next++) < questions;) {
      const std::string& document = target.documents[static_cast<size_t>(number) % target.documents.size()];
      Result<LoadAnswer> answer = ask_about(session, target.model, document, number, target.max_tokens);
      const std::lock_guard lock(mutex);
      if (!answer.ok()) {
        if (problem.ok()) problem = answer.status();
        next = questions;
        return;
      }
      phase.answers.push_back(*std::move(answer));
    }
  };
  const Stopwatch watch;
  std::vector<std::thread> threads;
  for (int64_t i = 0; i < clients; ++i) threads.emplace_back(run);
  for (std::thread& thread : threads) thread.join();
  phase.seconds = watch.seconds();
  if (!problem.ok()) return problem;
  return phase;
}

// The value that a share of them does not exceed; 0 of none.
double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto at = values.begin() + static_cast<ptrdiff_t>(share * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

struct Figures {
  int64_t answered = 0, failed = 0, tokens = 0;
  double answers_a_minute = 0, tokens_a_second = 0;
  double first_token_ms = 0, late_first_token_ms = 0;  // median, and 95 of 100
  double token_ms = 0;                                 // median, after the first one
  std::string problem;                                 // of the first that failed
};

Figures figures_of(const Phase& phase) {
  Figures figures;
  std::vector<double> first, token;
  for (const LoadAnswer& answer : phase.answers) {
    if (!answer.problem.empty()) {
      if (figures.failed++ == 0) figures.problem = answer.problem;
      continue;
    }
    ++figures.answered;
    figures.tokens += answer.tokens;
    first.push_back(answer.first_token_ms);
    if (answer.tokens > 1) token.push_back((answer.total_ms - answer.first_token_ms) / static_cast<double>(answer.tokens - 1));
  }
  figures.answers_a_minute = static_cast<double>(figures.answered) * 60 / phase.seconds;
  figures.tokens_a_second = static_cast<double>(figures.tokens) / phase.seconds;
  figures.first_token_ms = quantile(first, .5);
  figures.late_first_token_ms = quantile(first, .95);
  figures.token_ms = quantile(token, .5);
  return figures;
}

void add(BenchReport& report, const Phase& phase, const Figures& f) {
  report.table += fmt::format("{:18} {:8} {:6} {:12.1f} {:9.1f} {:9.1f} {:9.1f} {:9.1f}\n", phase.name, f.answered, f.failed, f.answers_a_minute,
                              f.tokens_a_second, f.first_token_ms, f.late_first_token_ms, f.token_ms);
  if (!f.problem.empty()) report.table += fmt::format("  the first that failed: {}\n", f.problem);
  json::object row{{"clients", phase.name},
                   {"answered", f.answered},
                   {"failed", f.failed},
                   {"seconds", rounded(phase.seconds, 6)},
                   {"answers_per_minute", rounded(f.answers_a_minute, 1)},
                   {"tokens_per_s", rounded(f.tokens_a_second, 1)},
                   {"first_token_ms", rounded(f.first_token_ms, 1)},
                   {"first_token_p95_ms", rounded(f.late_first_token_ms, 1)},
                   {"ms_per_token", rounded(f.token_ms, 2)}};
  if (!f.problem.empty()) row["problem"] = f.problem;
  report.data["load"].as_array().push_back(std::move(row));
}

Result<std::string> read_key(const std::string& file) {
  if (file.empty()) return std::string();
  GLYPH_ASSIGN_OR_RETURN(std::string text, read_file(file, kMaxKeyBytes));
  return text.substr(0, text.find_first_of(" \t\r\n"));
}

// Another one each time: a server that is measured twice has read the same text already.
uint32_t other_seed() { return std::random_device()(); }

Result<Target> find_target(const std::string& url, const BenchArguments& arguments, std::stop_token stop) {
  const auto server = parse_remote_url(url);
  if (!server || server->tls) return usage_error(fmt::format("--url: '{}' is no http: address", url));
  GLYPH_ASSIGN_OR_RETURN(std::string key, read_key(arguments.key_file));
  return Target{*server, std::move(key), {}, {}, arguments.max_tokens > 0 ? arguments.max_tokens : kAnswerTokens, std::move(stop)};
}

}  // namespace

Result<BenchReport> report_load(const Settings& settings, const BenchArguments& arguments, std::stop_token stop) {
  const int64_t documents = std::max<int64_t>(1, arguments.documents);
  std::unique_ptr<OwnServer> own;
  std::string url = arguments.url;
  if (url.empty()) {
    GLYPH_ASSIGN_OR_RETURN(own, OwnServer::start(settings));
    url = own->url();
  }
  GLYPH_ASSIGN_OR_RETURN(Target target, find_target(url, arguments, stop));
  HttpSession session(target.server, target.key, stop);
  GLYPH_ASSIGN_OR_RETURN(target.model, served_model(session));
  const Stopwatch reading;
  for (int64_t i = 0; i < documents; ++i) {
    GLYPH_ASSIGN_OR_RETURN(std::string id, upload_text(session, fmt::format("load {}.txt", i + 1), generated_text(arguments.pages, other_seed())));
    target.documents.push_back(std::move(id));
  }
  const double reading_seconds = reading.seconds();
  const int64_t questions = arguments.questions > 0 ? arguments.questions : kQuestionsAClient * arguments.clients;
  GLYPH_RETURN_IF_ERROR(ask_together(target, 1, documents).status());  // what a document costs once
  GLYPH_ASSIGN_OR_RETURN(const Phase alone, ask_together(target, 1, std::min(questions, arguments.clients)));
  GLYPH_ASSIGN_OR_RETURN(const Phase together, ask_together(target, arguments.clients, questions));

  BenchReport report;
  const Figures one = figures_of(alone), many = figures_of(together);
  const double ratio = many.answers_a_minute / std::max(one.answers_a_minute, 1e-9);
  report.data = {{"model", target.model},
                 {"server", own ? "its own" : target.server.authority()},
                 {"documents", documents},
                 {"pages", arguments.pages},
                 {"answer_tokens", target.max_tokens},
                 {"reading_s", rounded(reading_seconds, 3)},
                 {"load", json::array()},
                 {"ratio", rounded(ratio, 2)}};
  report.table = fmt::format("{}, {} of {} pages read in {:.1f} s, answers of {} tokens\n{:18} {:>8} {:>6} {:>12} {:>9} {:>9} {:>9} {:>9}\n", target.model,
                             documents == 1 ? "a document" : fmt::format("{} documents", documents), arguments.pages,
                             reading_seconds, target.max_tokens, "", "answered", "failed", "answers/min", "tokens/s", "first ms", "95 % ms", "ms/token");
  add(report, alone, one);
  add(report, together, many);
  report.table += fmt::format("ratio {:.2f}\n", ratio);
  return report;
}

}  // namespace glyph
