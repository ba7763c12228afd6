#include "server/connection.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <optional>
#include <random>

#include "server/api_error.h"
#include "server/outbox.h"
#include "server/request_body.h"
#include "server/response_head.h"

namespace glyph {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

namespace {

constexpr size_t kReadBytes = 64 * 1024;
constexpr double kLingerSeconds = 2;
constexpr int kSendBufferBytes = 128 * 1024;  // what the kernel may hold for a reader that does not read
constexpr size_t kMaxLingerBytes = size_t{64} << 20;

std::chrono::milliseconds ms(double seconds) { return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000)); }

std::string new_request_id() {
  static thread_local std::mt19937_64 random{std::random_device{}()};
  return fmt::format("req_{:016x}{:08x}", random(), static_cast<uint32_t>(random()));
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

}  // namespace

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(ConnectionHost& host, asio::ip::tcp::socket socket) : host_(&host), stream_(std::move(socket)) {
    host.connections.insert(this);
    ++host.num_connections;
    error_code unknown;
    client_ = stream_.socket().remote_endpoint(unknown).address().to_string();
  }
  ~Connection() { leave(); }

  void read_header() {
    idle_ = true;
    parser_.emplace();
    parser_->header_limit(host_->options.max_header_bytes);
    parser_->body_limit(boost::none);
    give_up_after(num_served_ == 0 ? host_->options.header_seconds : host_->options.keep_alive_seconds);
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = shared_from_this()](error_code error, size_t) { self->on_header(error); });
  }

  // From a responder, on the server's thread. `turn` tells which request it answers.
  void respond(uint64_t turn, HttpResponse response) {
    if (turn != turn_ || responded_ || closed_) return;
    responded_ = true;
    last_ = true;
    record_.status = response.status;
    const uint64_t length = response.file ? response.file->num_bytes() : response.body.size();
    std::string bytes = head_of(response, length) + (head_only_ ? "" : response.body);
    record_.bytes_out += bytes.size();
    outbox_.push(std::move(bytes));
    if (response.file && !head_only_) {
      record_.bytes_out += length;
      outbox_.push_file(std::move(response.file));
    }
    write();
  }
  void begin_stream(uint64_t turn) {
    if (turn != turn_ || responded_ || closed_) return;
    responded_ = true;
    HttpResponse response;
    response.content_type = "text/event-stream; charset=utf-8";
    record_.status = response.status;
    if (!chunked_) keep_alive_ = false;  // the stream ends where the connection does
    if (head_only_) {  // the head is all; who would send the rest need not
      last_ = true;
      for (auto& callback : std::exchange(gone_, {})) callback();
    }
    push(head_of(response, std::nullopt));
    if (!last_) keep_alive_later();
  }
  void send(uint64_t turn, std::string bytes) {
    if (turn != turn_ || closed_ || last_ || bytes.empty()) return;
    push(chunked_ ? fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes) : std::move(bytes));
  }
  void end_stream(uint64_t turn) {
    if (turn != turn_ || closed_ || last_) return;
    last_ = true;
    if (chunked_) push("0\r\n\r\n");
    else write();
  }
  void report(uint64_t turn, const AnswerFigures& figures) {
    if (turn == turn_ && !closed_) record_.answer = figures;
  }
  void on_gone(uint64_t turn, std::function<void()> callback) {
    if (turn != turn_ || closed_) callback();
    else gone_.push_back(std::move(callback));
  }

  bool idle() const { return idle_; }
  void close() {
    if (closed_) return;
    closed_ = true;
    deadline_.cancel();
    error_code ignored;
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
    stream_.close();
    end_record(true);
    slot_.reset();
    for (auto& callback : std::exchange(gone_, {})) callback();
  }
  void leave() {
    if (host_ == nullptr) return;
    host_->connections.erase(this);
    --host_->num_connections;
    host_->end_if_empty();
    host_ = nullptr;
  }

 private:
  // Ends a read that takes too long; unlike the stream's own limit it leaves the socket open for a 408.
  void give_up_after(double seconds) {
    stream_.expires_never();
    timed_out_ = false;
    deadline_.expires_after(ms(seconds));
    deadline_.async_wait([weak = weak_from_this()](error_code cancelled) {
      const auto self = weak.lock();
      if (cancelled || self == nullptr || self->deadline_.expiry() > std::chrono::steady_clock::now()) return;
      self->timed_out_ = true;
      self->stream_.cancel();
    });
  }

  // A comment now and then, so that nobody between here and the client takes a quiet stream for a dead one.
  void keep_alive_later() {
    deadline_.expires_after(ms(host_->options.event_idle_seconds));
    deadline_.async_wait([weak = weak_from_this(), turn = turn_](error_code cancelled) {
      const auto self = weak.lock();
      if (cancelled || self == nullptr || self->turn_ != turn || self->closed_ || self->last_) return;
      self->send(turn, ": keep-alive\n\n");
      self->keep_alive_later();
    });
  }

  void on_header(error_code error) {
    deadline_.cancel();
    if (error == http::error::header_limit) return refuse(431, "the request header is too large");
    if (timed_out_ && buffer_.size() > 0) return refuse(408, "the request header did not arrive in time");
    if (error == http::error::end_of_stream || error.category() != http::make_error_code(http::error::bad_method).category()) {
      if (error) return close();
    }
    if (error) return refuse(400, fmt::format("the request is not HTTP: {}", error.message()));
    idle_ = false;
    ++turn_;
    begin_record();
    take_header();
    auto decision = host_->router(request_);
    if (auto* response = std::get_if<HttpResponse>(&decision)) {
      if (!parser_->is_done() && has_body()) keep_alive_ = false;  // its body is not read
      return respond(turn_, std::move(*response));
    }
    plan_ = std::move(std::get<BodyPlan>(decision));
    slot_ = std::move(plan_.slot);
    read_body();
  }

  void take_header() {
    const auto& message = parser_->get();
    request_ = {};
    request_.id = record_.id;
    request_.method = std::string(message.method_string());
    const std::string_view target(message.target().data(), message.target().size());
    request_.path = percent_decoded(target.substr(0, target.find_first_of("?#")));
    if (const size_t mark = target.find('?'); mark < target.find('#')) request_.query = target.substr(mark + 1, target.find('#') - mark - 1);
    request_.client = client_;
    for (const auto& field : message) {
      request_.headers.emplace_back(lower({field.name_string().data(), field.name_string().size()}), std::string(field.value()));
    }
    record_.method = known_method(request_.method);
    record_.route = route_pattern(request_.path);
    head_only_ = request_.method == "HEAD";
    chunked_ = message.version() >= 11;
    keep_alive_ = message.keep_alive() && !host_->stopping;
    responded_ = last_ = false;
  }

  bool has_body() const { return parser_->chunked() || (parser_->content_length() && *parser_->content_length() > 0); }

  void read_body() {
    if (const auto length = parser_->content_length(); length && *length > plan_.max_bytes) return too_large(*length);
    if (plan_.to_file) {
      if (const int problem = body_.to_file(host_->options.upload_dir); problem != 0) return not_stored(problem);
    }
    if (!has_body()) return handle();
    if (lower(request_.header("expect")) == "100-continue") {
      static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      stream_.expires_after(ms(host_->options.write_seconds));
      asio::async_write(stream_, asio::buffer(kContinue), [self = shared_from_this()](error_code error, size_t) {
        if (error) return self->close();
        self->read_some_body();
      });
      return;
    }
    read_some_body();
  }

  void read_some_body() {
    if (chunk_.empty()) chunk_.resize(kReadBytes);
    parser_->get().body().data = chunk_.data();
    parser_->get().body().size = chunk_.size();
    parser_->get().body().more = true;
    give_up_after(host_->options.body_idle_seconds);
    http::async_read_some(stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, size_t) { self->on_body(error); });
  }

  void on_body(error_code error) {
    deadline_.cancel();
    if (error == http::error::need_buffer) error = {};
    if (error && timed_out_) return refuse(408, "the request body did not arrive in time");
    if (error == http::error::partial_message || error == http::error::end_of_stream) return close();
    if (error) return error.category() == http::make_error_code(http::error::bad_method).category()
                          ? refuse(400, fmt::format("the request body is not HTTP: {}", error.message()))
                          : close();
    const size_t count = chunk_.size() - parser_->get().body().size;
    record_.bytes_in += count;
    if (body_.num_bytes() + count > plan_.max_bytes) return too_large(body_.num_bytes() + count);
    if (!body_.append(request_, {chunk_.data(), count})) return refuse(413, "there is no room to store the upload now");
    if (!parser_->is_done()) return read_some_body();
    handle();
  }

  void handle() {
    chunk_ = {};
    body_.finish(request_);
    parser_.reset();
    watch();
    auto handler = std::move(plan_.handler);
    plan_ = {};
    handler(std::move(request_), make_responder());
  }

  // Notices a client that goes away; bytes of a next request wait in the socket.
  void watch() {
    if (watching_) return;
    watching_ = true;
    stream_.expires_never();
    stream_.socket().async_wait(asio::ip::tcp::socket::wait_read, [self = shared_from_this()](error_code error) {
      self->watching_ = false;
      if (error || self->closed_ || self->idle_) return;
      error_code peeked;
      char byte = 0;
      self->stream_.socket().non_blocking(true, peeked);
      const size_t count = self->stream_.socket().receive(asio::buffer(&byte, 1), asio::ip::tcp::socket::message_peek, peeked);
      if (peeked == asio::error::would_block) return self->watch();
      if (peeked || count == 0) self->close();
    });
  }

  void refuse(int status, const std::string& message) {
    if (!began_) begin_record();
    keep_alive_ = false;
    idle_ = false;
    responded_ = false;
    respond(turn_, error_response(status, message));
  }
  // `problem`: errno of making a file for it.
  void not_stored(int problem) {
    if (problem == ENOSPC || problem == EDQUOT) return refuse(413, "there is no room to store the upload now");
    if (problem == EMFILE || problem == ENFILE) return refuse(429, "the server has too many connections and files open; try again later");
    refuse(500, "the upload cannot be stored");
  }
  void too_large(uint64_t bytes) {
    refuse(413, fmt::format("the request body is {} bytes{}, at most {} are accepted", bytes, parser_->content_length() ? "" : " or more",
                            plan_.max_bytes));
  }

  void begin_record() {
    began_ = std::chrono::steady_clock::now();
    record_ = {};
    record_.id = new_request_id();
    record_.method = record_.route = "other";  // until the header is known
  }
  // The request is over; `gone`: because the client is.
  void end_record(bool gone) {
    if (!began_) return;
    record_.ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - *std::exchange(began_, std::nullopt)).count();
    if (gone) record_.status = RequestRecord::kClientGone;
    record_.client = client_;
    if (host_->observer) host_->observer(record_);
    record_ = {};
  }

  std::string head_of(const HttpResponse& response, std::optional<size_t> length) const {
    return response_head(response, record_.id, {.length = length, .chunked = chunked_, .keep_alive = keep_alive_});
  }

  void push(std::string bytes) {
    record_.bytes_out += bytes.size();
    outbox_.push(std::move(bytes));
    if (outbox_.num_bytes() > host_->options.max_unsent_bytes) return close();
    write();
  }

  void write() {
    if (writing_ || closed_) return;
    const std::string* next = outbox_.front();
    if (outbox_.broken()) return close();
    if (next == nullptr) return after_write();
    writing_ = true;
    stream_.expires_after(ms(host_->options.write_seconds));
    asio::async_write(stream_, asio::buffer(*next), [self = shared_from_this()](error_code error, size_t) {
      self->writing_ = false;
      if (error || self->closed_) return self->close();
      self->outbox_.pop();
      self->write();
    });
  }

  void after_write() {
    stream_.expires_never();
    if (!last_) return;
    deadline_.cancel();
    end_record(false);
    slot_.reset();
    gone_.clear();
    ++num_served_;
    ++turn_;
    request_ = {};
    body_.clear();
    if (!keep_alive_ || host_->stopping) return finish();
    read_header();
  }

  // Sends FIN and takes what the client still sends for a moment, so that it can read the response before a reset.
  void finish() {
    error_code ignored;
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    if (chunk_.empty()) chunk_.resize(kReadBytes);
    stream_.expires_after(ms(kLingerSeconds));
    drain(0);
  }
  void drain(size_t total) {
    stream_.async_read_some(asio::buffer(chunk_), [self = shared_from_this(), total](error_code error, size_t count) {
      if (error || total + count > kMaxLingerBytes) return self->close();
      self->drain(total + count);
    });
  }

  ResponderPtr make_responder();

  ConnectionHost* host_;
  beast::tcp_stream stream_;
  asio::steady_timer deadline_{stream_.get_executor()};
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::buffer_body>> parser_;
  HttpRequest request_;
  RequestRecord record_;  // of the request that began_
  std::optional<std::chrono::steady_clock::time_point> began_;
  std::string client_;
  BodyPlan plan_;
  std::shared_ptr<void> slot_;  // of the plan, until the response is sent
  std::string chunk_;  // of the body, while it is read
  RequestBody body_;

  uint64_t turn_ = 0;  // of requests and responses: a responder that is late answers nobody
  uint64_t num_served_ = 0;
  bool chunked_ = true;  // streams are sent in chunks, which HTTP/1.0 does not know
  bool idle_ = true, head_only_ = false, keep_alive_ = false, responded_ = false, last_ = false, writing_ = false, watching_ = false, timed_out_ = false, closed_ = false;
  Outbox outbox_;
  std::vector<std::function<void()>> gone_;
};

namespace {

// Posts to the connection's thread as long as there is a connection.
class ConnectionResponder : public Responder {
 public:
  ConnectionResponder(asio::io_context& io, std::weak_ptr<Connection> connection, uint64_t turn)
      : io_(io), connection_(std::move(connection)), turn_(turn) {}
  ~ConnectionResponder() override {  // a handler that forgot to answer
    post([turn = turn_](Connection& c) { c.respond(turn, error_response(500, "the request was not answered")); });
  }

  void respond(HttpResponse response) override {
    post([turn = turn_, response = std::move(response)](Connection& c) mutable { c.respond(turn, std::move(response)); });
  }
  void begin_stream() override {
    post([turn = turn_](Connection& c) { c.begin_stream(turn); });
  }
  void send(std::string bytes) override {
    post([turn = turn_, bytes = std::move(bytes)](Connection& c) mutable { c.send(turn, std::move(bytes)); });
  }
  void end_stream() override {
    post([turn = turn_](Connection& c) { c.end_stream(turn); });
  }
  void report(const AnswerFigures& figures) override {
    post([turn = turn_, figures](Connection& c) { c.report(turn, figures); });
  }
  void on_gone(std::function<void()> callback) override {
    asio::post(io_, [weak = connection_, turn = turn_, callback = std::move(callback)]() mutable {
      if (const auto connection = weak.lock()) connection->on_gone(turn, std::move(callback));
      else callback();
    });
  }

 private:
  template <typename Work>
  void post(Work work) {
    asio::post(io_, [weak = connection_, work = std::move(work)]() mutable {
      if (const auto connection = weak.lock()) work(*connection);
    });
  }

  asio::io_context& io_;
  const std::weak_ptr<Connection> connection_;
  const uint64_t turn_;
};

}  // namespace

ResponderPtr Connection::make_responder() { return std::make_shared<ConnectionResponder>(host_->io, weak_from_this(), turn_); }

void start_connection(ConnectionHost& host, asio::ip::tcp::socket socket) {
  error_code ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::send_buffer_size(kSendBufferBytes), ignored);
  std::make_shared<Connection>(host, std::move(socket))->read_header();
}

void close_idle_connections(ConnectionHost& host) {
  const std::vector<Connection*> all(host.connections.begin(), host.connections.end());
  for (Connection* connection : all) {
    if (connection->idle()) connection->close();
  }
}

void drop_connections(ConnectionHost& host) {
  const std::vector<Connection*> all(host.connections.begin(), host.connections.end());
  for (Connection* connection : all) {
    connection->close();
    connection->leave();
  }
}

}  // namespace glyph
