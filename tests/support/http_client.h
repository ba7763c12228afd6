// A plain blocking HTTP/1.1 client on a real socket, for tests; loopback only. Every wait ends after ten seconds.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace glyph {

struct ClientResponse {
  int status = 0;  // 0: the connection ended before a response did
  std::string head;
  std::string body;  // chunks put together
};

class HttpClient {
 public:
  // `receive_buffer` bytes, 0 for the system's choice.
  explicit HttpClient(uint16_t port, int receive_buffer = 0) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval limit{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (receive_buffer > 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) close();
  }
  ~HttpClient() { close(); }
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    return true;
  }

  // Waits until what arrived holds `text`.
  bool read_until(std::string_view text) {
    while (pending_.find(text) == std::string::npos) {
      if (!receive()) return false;
    }
    return true;
  }

  ClientResponse response() {
    ClientResponse response;
    if (!read_until("\r\n\r\n")) return response;
    const size_t end = pending_.find("\r\n\r\n");
    response.head = pending_.substr(0, end + 2);
    pending_.erase(0, end + 4);
    const bool whole = response.head.find("Transfer-Encoding: chunked") != std::string::npos ? read_chunks(response.body) : read_length(response);
    if (whole) response.status = std::atoi(response.head.c_str() + 9);
    return response;
  }

  ClientResponse request(const std::string& method, const std::string& target, const std::string& body = {},
                         const std::string& headers = {}) {
    send(method + " " + target + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body);
    return response();
  }

 private:
  bool receive() {
    char buffer[65536];
    const ssize_t count = ::recv(fd_, buffer, sizeof buffer, 0);
    if (count <= 0) return false;
    pending_.append(buffer, static_cast<size_t>(count));
    return true;
  }

  bool read_length(ClientResponse& response) {
    const size_t at = response.head.find("Content-Length: ");
    const size_t length = at == std::string::npos ? 0 : static_cast<size_t>(std::atoll(response.head.c_str() + at + 16));
    while (pending_.size() < length) {
      if (!receive()) return false;
    }
    response.body = pending_.substr(0, length);
    pending_.erase(0, length);
    return true;
  }

  bool read_chunks(std::string& body) {
    for (;;) {
      size_t line = 0;
      while ((line = pending_.find("\r\n")) == std::string::npos) {
        if (!receive()) return false;
      }
      const size_t length = std::strtoull(pending_.c_str(), nullptr, 16);
      while (pending_.size() < line + 2 + length + 2) {
        if (!receive()) return false;
      }
      body += pending_.substr(line + 2, length);
      pending_.erase(0, line + 2 + length + 2);
      if (length == 0) return true;
    }
  }

  int fd_;
  std::string pending_;
};

}  // namespace glyph
