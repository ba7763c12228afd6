#include "server/image_fetcher.h"

#include <fmt/format.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <cctype>
#include <chrono>
#include <future>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "server/socket_wait.h"

namespace glyph {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace ssl = asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
namespace {

constexpr uint32_t kMaxHeaderBytes = 16 * 1024;

// One picture's time, and whoever may end it sooner.
struct Limit {
  Clock::time_point end;
  std::stop_token stop;

  Status over(const RemoteUrl& url) const {
    if (stop.stop_requested()) return cancelled("the request was stopped");
    return usage_error(fmt::format("{} did not send the picture in time", url.authority()));
  }
};

Status failed(const RemoteUrl& url, std::string_view what) { return usage_error(fmt::format("{}: {}", url.authority(), what)); }

using Response = http::response<http::string_body>;

// The addresses of a host. On a thread of its own: nothing ends a name server's time.
Result<std::vector<tcp::endpoint>> find_addresses(const RemoteUrl& url, const Limit& limit) {
  error_code no_literal;
  const auto literal = asio::ip::make_address(url.host, no_literal);
  if (!no_literal) return std::vector{tcp::endpoint(literal, url.port)};
  auto promise = std::make_shared<std::promise<std::vector<tcp::endpoint>>>();
  std::future<std::vector<tcp::endpoint>> found = promise->get_future();
  std::thread([promise, host = url.host, port = url.port] {
    asio::io_context io;
    tcp::resolver resolver(io);
    error_code unknown;
    std::vector<tcp::endpoint> endpoints;
    for (const auto& entry : resolver.resolve(host, std::to_string(port), tcp::resolver::numeric_service, unknown)) endpoints.push_back(entry.endpoint());
    promise->set_value(std::move(endpoints));
  }).detach();
  while (found.wait_for(kStopPause) != std::future_status::ready) {
    if (limit.stop.stop_requested() || Clock::now() >= limit.end) return limit.over(url);
  }
  std::vector<tcp::endpoint> endpoints = found.get();
  if (endpoints.empty()) return failed(url, "the host is not known");
  return endpoints;
}

// One request and its response, on this thread.
class Exchange {
 public:
  Exchange(const RemoteUrl& url, const ImageFetchOptions& options, const Limit& limit) : url_(url), options_(options), limit_(limit) {}

  Result<Response> run() {
    GLYPH_ASSIGN_OR_RETURN(const std::vector<tcp::endpoint> endpoints, allowed_addresses());
    if (!url_.tls) {
      beast::tcp_stream stream(io_);
      GLYPH_RETURN_IF_ERROR(connect(stream, endpoints));
      return ask(stream, stream);
    }
    ssl::context context(ssl::context::tls_client);
    GLYPH_RETURN_IF_ERROR(trust(context));
    beast::ssl_stream<beast::tcp_stream> stream(io_, context);
    stream.set_verify_callback(ssl::host_name_verification(url_.host));
    SSL_set_tlsext_host_name(stream.native_handle(), url_.host.c_str());
    GLYPH_RETURN_IF_ERROR(connect(stream.next_layer(), endpoints));
    GLYPH_ASSIGN_OR_RETURN(const error_code error, wait(stream.next_layer(), [&](auto done) { stream.async_handshake(ssl::stream_base::client, done); }));
    if (error) return failed(url_, fmt::format("there is no trusted connection: {}", error.message()));
    return ask(stream, stream.next_layer());
  }

 private:
  Result<std::vector<tcp::endpoint>> allowed_addresses() const {
    GLYPH_ASSIGN_OR_RETURN(std::vector<tcp::endpoint> endpoints, find_addresses(url_, limit_));
    for (const tcp::endpoint& endpoint : endpoints) {
      if (!options_.hosts.allows_address(endpoint.address(), endpoint.port())) {
        return failed(url_, fmt::format("its address {} is private and not in --image-hosts", endpoint.address().to_string()));
      }
    }
    return endpoints;
  }

  Status trust(ssl::context& context) const {
    error_code error;
    context.set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1);
    context.set_verify_mode(ssl::verify_peer);
    context.set_default_verify_paths(error);
    if (!options_.ca_file.empty()) context.load_verify_file(options_.ca_file.string(), error);
    return error ? internal_error(fmt::format("no certificates to trust: {}", error.message())) : Status();
  }

  // Runs one operation to its end, or closes the socket when its time is over.
  template <typename Start>
  Result<error_code> wait(beast::tcp_stream& stream, Start start) {
    if (const auto result = wait_for(io_, stream, limit_.end, limit_.stop, start)) return *result;
    return limit_.over(url_);
  }

  Status connect(beast::tcp_stream& stream, const std::vector<tcp::endpoint>& endpoints) {
    GLYPH_ASSIGN_OR_RETURN(const error_code error, wait(stream, [&](auto done) { stream.async_connect(endpoints, done); }));
    return error ? failed(url_, fmt::format("cannot be reached: {}", error.message())) : Status();
  }

  template <typename Stream>
  Result<Response> ask(Stream& stream, beast::tcp_stream& socket) {
    http::request<http::empty_body> request(http::verb::get, url_.target, 11);
    request.set(http::field::host, url_.authority());
    request.set(http::field::user_agent, "glyph");
    request.set(http::field::accept, "image/png, image/jpeg, image/webp");
    request.set(http::field::accept_encoding, "identity");
    request.set(http::field::connection, "close");
    GLYPH_ASSIGN_OR_RETURN(error_code error, wait(socket, [&](auto done) { http::async_write(stream, request, done); }));
    if (error) return failed(url_, fmt::format("cannot be asked: {}", error.message()));
    beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.header_limit(kMaxHeaderBytes);
    parser.body_limit(options_.max_bytes);
    GLYPH_ASSIGN_OR_RETURN(error, wait(socket, [&](auto done) { http::async_read_header(stream, buffer, parser, done); }));
    if (error) return unread(error);
    if (parser.get().result() != http::status::ok) return parser.release();  // whatever the body says
    GLYPH_ASSIGN_OR_RETURN(error, wait(socket, [&](auto done) { http::async_read(stream, buffer, parser, done); }));
    if (error) return unread(error);
    return parser.release();
  }

  Status unread(error_code error) const {
    if (error == http::error::body_limit) return failed(url_, fmt::format("the picture has more than {} bytes", options_.max_bytes));
    return failed(url_, fmt::format("its answer cannot be read: {}", error.message()));
  }

  const RemoteUrl& url_;
  const ImageFetchOptions& options_;
  const Limit& limit_;
  asio::io_context io_;
};

std::string_view text_of(beast::string_view text) { return {text.data(), text.size()}; }

bool is_redirect(const Response& response) {
  const unsigned status = response.result_int();
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

Result<FetchedImage> image_of(const RemoteUrl& url, Response& response) {
  if (response.result() != http::status::ok) return failed(url, fmt::format("it answered with the status {}", response.result_int()));
  std::string type(text_of(response[http::field::content_type]));
  type = type.substr(0, type.find_first_of("; \t"));
  for (char& c : type) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (!type.starts_with("image/")) return failed(url, "what it sent is not a picture");
  if (!response[http::field::content_encoding].empty()) return failed(url, "what it sent is compressed");
  return FetchedImage{std::move(type), std::move(response.body())};
}

}  // namespace

Status ImageFetcher::check(std::string_view text) const {
  if (options_.hosts.empty()) return usage_error("is a remote address, which this server does not fetch; send the picture as a data: URL");
  const auto url = parse_remote_url(text);
  if (!url) return usage_error("is not an http: or https: address");
  if (!options_.hosts.allows(*url)) return usage_error(fmt::format("names {}, which is not one of the hosts that pictures are fetched from", url->authority()));
  return {};
}

Result<FetchedImage> ImageFetcher::fetch(std::string_view text, std::stop_token stop) const {
  GLYPH_RETURN_IF_ERROR(check(text));
  RemoteUrl url = *parse_remote_url(text);
  struct Place {
    std::atomic<int>& count;
    const bool free;
    ~Place() { --count; }
  };
  const int before = num_fetching_++;
  const Place place{num_fetching_, before < options_.max_at_once};
  if (!place.free) return exhausted(fmt::format("{} pictures are being fetched already; try again later", options_.max_at_once));
  const Limit limit{Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options_.seconds)), std::move(stop)};
  for (int redirects = 0;; ++redirects) {
    GLYPH_ASSIGN_OR_RETURN(Response response, Exchange(url, options_, limit).run());
    if (!is_redirect(response)) return image_of(url, response);
    if (redirects == options_.max_redirects) return failed(url, fmt::format("redirects more than {} times", options_.max_redirects));
    const auto next = resolve_location(url, text_of(response[http::field::location]));
    if (!next || (url.tls && !next->tls)) return failed(url, "redirects to something else than such an address");
    if (!options_.hosts.allows(*next)) return failed(url, fmt::format("redirects to {}, which is not one of the hosts that pictures are fetched from", next->authority()));
    url = *next;
  }
}

}  // namespace glyph
