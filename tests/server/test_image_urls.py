"""Pictures at http: and https: addresses: fetched from hosts that were named, within limits, and from nowhere else."""
import http.server
import json
import socket
import ssl
import struct
import subprocess
import threading
import time
import unittest
import zlib

import serving


def png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes(x % 256 for x in range(width)) for _ in range(height))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


PICTURE = png(280, 140)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers["Host"], self.headers["Cookie"]))
        name = self.path.strip("/").split("?")[0]
        if name.startswith("to"):
            self.send_response(302)
            self.send_header("Location", self.server.locations[name])
            self.end_headers()
        elif name == "slow.png":
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            while not self.server.ended.wait(0.1):
                self.wfile.write(b"x")
        elif name == "endless.png":
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.end_headers()
            while True:
                self.wfile.write(b"x" * 65536)
        else:
            kinds = {"a.png": ("image/png", PICTURE), "page.html": ("text/html", b"<p>Hi"), "damaged.png": ("image/png", PICTURE[:100])}
            kind, body = kinds.get(name, ("text/plain", b"no"))
            self.send_response(200 if name in kinds else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def handle(self):
        try:
            super().handle()
        except OSError:
            pass  # the other side had enough

    def log_message(self, *args):
        pass


class ImageUrls(serving.ServeTest):
    certificates = 0

    def host(self, tls=None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.asked, server.locations, server.ended = [], {}, threading.Event()
        server.handle_error = lambda *args: None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.addCleanup(server.ended.set)
        return server

    def certificate(self, name):
        self.certificates += 1
        key, cert = self.base / f"{self.certificates}.key", self.base / f"{self.certificates}.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", cert, "-subj", f"/CN={name}",
                        "-addext", f"subjectAltName=DNS:{name}"], check=True, capture_output=True)
        return cert, key

    def ask_about(self, url, **fields):
        content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What is it?"}]
        return self.call("/v1/chat/completions", json.dumps({"messages": [{"role": "user", "content": content}], "max_tokens": 3, **fields}).encode())

    def assert_refused(self, url, *words):
        status, _, body = self.ask_about(url)
        error = json.loads(body)["error"]
        self.assertEqual((status, error["type"]), (400, "invalid_request_error"), (url, body))
        for word in words:
            self.assertIn(word, error["message"])
        return error

    def assert_fetched(self, url):
        status, _, body = self.ask_about(url)
        self.assertEqual(status, 200, (url, body))
        glyph = json.loads(body)["glyph"]
        self.assertEqual((glyph["pages"], glyph["image_tokens"]), (1, 50))

    def test_none_without_a_list(self):
        server = self.host()
        self.serve()
        error = self.assert_refused(f"http://127.0.0.1:{server.server_port}/a.png", "messages[0].content[0].image_url.url", "data: URL")
        self.assertEqual(error["param"], "messages[0].content[0].image_url.url")
        self.assertEqual(server.asked, [])

    def test_hosts_of_the_list_only(self):
        server, other = self.host(), self.host()
        port, away = server.server_port, other.server_port
        server.locations = {"to-a": "/a.png", "to-to": f"http://127.0.0.1:{port}/to-a", "to-other": f"http://127.0.0.1:{away}/a.png",
                            "to-name": f"http://localhost:{port}/a.png", "to-self": "/to-self", "to-file": "file:///etc/passwd"}
        self.serve("--image-hosts", f"127.0.0.1:{port},localhost:{away}")
        base = f"http://127.0.0.1:{port}"
        for name in ("a.png", "a.png?size=1", "to-a", "to-to"):
            self.assert_fetched(f"{base}/{name}")
        self.assertEqual(server.asked[0], ("/a.png", f"127.0.0.1:{port}", None))
        self.assert_refused(f"{base}/page.html", "not a picture")
        self.assert_refused(f"{base}/none.png", "404")
        self.assert_refused(f"{base}/to-other", f"127.0.0.1:{away}", "not one of the hosts")
        self.assert_refused(f"{base}/to-name", "not one of the hosts")
        self.assert_refused(f"{base}/to-self", "redirects more than 3 times")
        self.assert_refused(f"{base}/to-file", "redirects to something else")
        self.assert_refused(f"http://127.0.0.1:{away}/a.png", "not one of the hosts")
        self.assert_refused("http://169.254.169.254/latest", "not one of the hosts")
        self.assert_refused(f"http://user@127.0.0.1:{port}/a.png", "not an http: or https: address")
        self.assert_refused(f"http://localhost:{away}/a.png", "private")  # the name is in the list, its address is not
        self.assertEqual(other.asked, [])
        status, _, body = self.ask_about(f"{base}/damaged.png")
        self.assertEqual(status, 422, body)
        server.shutdown()
        server.server_close()
        self.assert_refused(f"{base}/a.png", "cannot be reached")
        self.assertEqual(self.call("/health")[0], 200)

    def test_too_slow_too_large_too_many(self):
        server = self.host()
        base = f"http://127.0.0.1:{server.server_port}"
        self.serve("--image-hosts", f"127.0.0.1:{server.server_port}")
        self.assert_refused(f"{base}/endless.png", "more than 33554432 bytes")
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.ask_about(f"{base}/slow.png"))) for _ in range(3)]
        begin = time.monotonic()
        for thread in threads:
            thread.start()
        self.wait_until(lambda: len([path for path, *_ in server.asked if path == "/slow.png"]) == 2)
        self.assertEqual(self.ask("And meanwhile?")[0], 200)
        for thread in threads:
            thread.join()
        self.assertLess(time.monotonic() - begin, 25)
        self.assertEqual(sorted(status for status, *_ in answers), [400, 400, 429])
        for status, headers, body in answers:
            self.assertIn("in time" if status == 400 else "being fetched", json.loads(body)["error"]["message"])

    def test_a_client_that_goes_away_ends_the_fetch(self):
        server = self.host()
        self.serve("--image-hosts", f"127.0.0.1:{server.server_port}")
        body = json.dumps({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": f"http://127.0.0.1:{server.server_port}/slow.png"}},
                                                                     {"type": "text", "text": "What?"}]}]}).encode()
        for _ in range(4):  # two at once are the limit
            server.asked.clear()
            with socket.create_connection(("127.0.0.1", int(self.base_url.rsplit(":", 1)[1]))) as client:
                client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                self.wait_until(lambda: server.asked)
            self.wait_until(lambda: self.metric("glyph_connections") <= 1)
            time.sleep(0.1)

    def test_tls_needs_a_certificate_that_is_trusted_and_fits(self):
        trusted, stranger = self.certificate("localhost"), self.certificate("stranger.example")
        good, unknown, wrong_name = self.host(trusted), self.host(self.certificate("localhost")), self.host(stranger)
        bundle = self.base / "trusted.pem"
        bundle.write_bytes(trusted[0].read_bytes() + stranger[0].read_bytes())
        ports = [server.server_port for server in (good, unknown, wrong_name)]
        plain = self.host()
        good.locations = {"to-plain": f"http://localhost:{plain.server_port}/a.png", "to-a": "/a.png"}
        hosts = ",".join(f"localhost:{port},127.0.0.1:{port},[::1]:{port}" for port in [*ports, plain.server_port])
        self.serve("--image-hosts", hosts, env={"SSL_CERT_FILE": bundle})
        self.assert_fetched(f"https://localhost:{ports[0]}/a.png")
        self.assert_fetched(f"https://localhost:{ports[0]}/to-a")
        self.assert_refused(f"https://localhost:{ports[0]}/to-plain", "redirects to something else")
        self.assert_refused(f"https://127.0.0.1:{ports[0]}/a.png", "trusted connection")  # not the certificate's name
        self.assert_refused(f"https://localhost:{ports[1]}/a.png", "trusted connection")
        self.assert_refused(f"https://localhost:{ports[2]}/a.png", "trusted connection")
        self.assert_refused(f"https://localhost:{plain.server_port}/a.png", "trusted connection")
        self.assertEqual((unknown.asked, wrong_name.asked, plain.asked), ([], [], []))

    def test_a_list_that_is_none(self):
        for words in ("http://a.example", "a b", "", "*"):
            self.assert_one_sentence(self.run_glyph("serve", "--image-hosts", words), 2, "image-hosts", f"'{words}'")


if __name__ == "__main__":
    unittest.main()
