"""Documents of every kind through the server: uploaded, watched, asked about, given along with a question."""
import base64
import io
import json
import struct
import time
import zlib
from http.client import HTTPConnection

import documents
import serving

STATES = ["uploaded", "extracting", "drawing", "encoding", "reading", "ready"]
WORDS = ["The bridge was opened in spring.", "It was painted in autumn."]


def png(width, height):
    rows = b"".join(b"\0" + bytes((x * 7 + y * 13) % 256 for x in range(width)) for y in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


# Name, content, media type, what its text must hold; "" for a picture.
KINDS = [
    ("a.txt", "\n".join(WORDS).encode(), "text/plain", WORDS[1]),
    ("b.txt", "Größe: 5 €".encode("utf-16"), "text/plain", "Größe: 5 €"),
    ("c.md", f"# Bridges\n\n{WORDS[0]}\n\n* {WORDS[1]}\n".encode(), "text/markdown", WORDS[1]),
    ("d.html", f"<html><body><h1>Bridges</h1><p>{WORDS[0]}</p><script>never()</script></body></html>".encode(), "text/html", WORDS[0]),
    ("e.pdf", documents.pdf(WORDS), "application/pdf", WORDS[1]),
    ("f.docx", documents.docx(paragraphs=WORDS), "application/vnd.openxmlformats-officedocument.wordprocessingml.document", WORDS[1]),
    ("g.png", png(56, 84), "image/png", ""),
]


def form(*files):
    out = io.BytesIO()
    for name, content in files:
        out.write(f'--B\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode() + content + b"\r\n")
    out.write(b"--B--\r\n")
    return out.getvalue()


class Documents(serving.ServeTest):
    def setUp(self):
        super().setUp()
        self.process = self.serve()

    def events(self, document):
        text = self.call(f"/v1/documents/{document}/events")[2].decode()
        return [json.loads(event.split("data: ", 1)[1]) for event in text.split("\n\n") if "data: " in event]

    def send(self, *files):
        status, _, answer = self.call("/v1/documents", form(*files), serving.FORM)
        self.assertEqual(status, 202, answer)
        return json.loads(answer)

    def test_every_kind_is_read(self):
        for name, content, _, words in KINDS:
            document = self.send((name, content))["id"]
            last = self.events(document)[-1]
            self.assertEqual((last["state"], last["error"], last["name"]), ("ready", None, name), last)
            self.assertEqual(last["pages"], last["pages_done"])
            self.assertGreater(last["image_tokens"], 0)
            self.assertEqual(last["tokens_read"], last["tokens_to_read"])
            self.assertIn(words, self.call(f"/v1/documents/{document}/text")[2].decode())
            self.assertEqual(self.call(f"/v1/documents/{document}/pages/1")[2][1:4], b"PNG")
            answer = json.loads(self.ask("What?", documents=[document])[2])
            self.assertGreater(answer["usage"]["prompt_tokens_details"]["cached_tokens"], 0, name)
            self.assertEqual(answer["usage"]["prompt_tokens_details"]["image_tokens"], last["image_tokens"], name)

    def test_every_kind_may_come_with_the_question(self):
        for name, content, kind, _ in KINDS:
            data = base64.b64encode(content).decode()
            parts = [[{"type": "file", "file": {"filename": name, "file_data": f"data:{kind};base64,{data}"}}]]
            if name != "b.txt":
                parts.append([{"type": "file", "file": {"filename": name, "file_data": data}}])  # bytes alone
            if kind.startswith("image/"):
                parts.append([{"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}", "detail": "high"}}])
            for part in parts:
                messages = [{"role": "user", "content": [*part, {"type": "text", "text": "What is it about?"}]}]
                status, _, body = self.call("/v1/chat/completions", json.dumps({"messages": messages, "max_tokens": 3}).encode())
                self.assertEqual(status, 200, (name, body))
                self.assertGreater(json.loads(body)["usage"]["prompt_tokens_details"]["image_tokens"], 0, name)

    def test_damage_is_told(self):
        for name, content, word in (("a.pdf", b"%PDF-1.7 damaged", "PDF"), ("b.pdf", documents.pdf(WORDS, encrypt=True), "encrypted"),
                                    ("c.docx", documents.docx({"word/document.xml": None}), "word/document.xml is missing"),
                                    ("d.png", png(56, 84)[:-60], "d.png"), ("e.txt", b"\x00\x01\x02\x03" * 50, "e.txt")):
            document = self.send((name, content))["id"]
            last = self.events(document)[-1]
            self.assertEqual(last["state"], "failed", last)
            self.assertIn(word, last["error"])
            self.assertTrue(last["error"].startswith(name), last["error"])  # and not where the server keeps it
            self.assertNotIn(str(self.dir), last["error"])
            status, _, answer = self.ask("What?", documents=[document])
            self.assertEqual((status, json.loads(answer)["error"]["message"]), (422, last["error"]))
            part = {"type": "file", "file": {"filename": name, "file_data": base64.b64encode(content).decode()}}
            messages = [{"role": "user", "content": [part, {"type": "text", "text": "What?"}]}]
            status, _, answer = self.call("/v1/chat/completions", json.dumps({"messages": messages}).encode())
            self.assertIn(status, (400, 422), answer)
            self.assertGreater(len(json.loads(answer)["error"]["message"]), 10)

    def test_progress_goes_forward(self):
        text = "".join(f"Line {i} of a long document about bridges and tides.\n" for i in range(4000))
        events = self.events(self.send(("long.txt", text.encode()))["id"])
        places = [STATES.index(event["state"]) for event in events]
        self.assertEqual(places, sorted(places))
        self.assertEqual(places[-1], STATES.index("ready"))
        self.assertTrue({"encoding", "reading"} <= {event["state"] for event in events})
        done = [event["pages_done"] for event in events]
        self.assertEqual(done, sorted(done))
        self.assertEqual(done[-1], events[-1]["pages"])
        self.assertTrue(any(event["left_ms"] is not None and event["left_ms"] >= 0 for event in events))

    def test_several_files_and_the_same_again(self):
        both = self.send(("a.txt", b"One line."), ("b.txt", b"Another line."))
        self.assertEqual([entry["name"] for entry in both["data"]], ["a.txt", "b.txt"])
        ids = [entry["id"] for entry in both["data"]]
        self.assertEqual(self.send(("c.txt", b"One line."))["id"], ids[0])  # what it holds is what counts
        self.assertEqual(sorted(entry["id"] for entry in json.loads(self.call("/v1/documents")[2])["data"]), sorted(ids))
        for document in ids:
            self.assertEqual(self.events(document)[-1]["state"], "ready")
        answer = json.loads(self.ask("Which?", documents=ids)[2])
        self.assertEqual(answer["glyph"]["pages"], 2)

    def test_a_document_deleted_under_an_answer(self):
        document = self.upload("note.txt", "One line of a note.\n" * 50)
        body = {"documents": [document], "stream": True, "ignore_eos": True, "max_tokens": 300, "messages": [{"role": "user", "content": "Tell me all."}]}
        client = HTTPConnection("127.0.0.1", int(self.base_url.rsplit(":", 1)[1]), timeout=60)
        self.addCleanup(client.close)
        client.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        stream = client.getresponse()
        self.assertIn(b"data: ", stream.readline())
        self.assertEqual(self.call(f"/v1/documents/{document}", method="DELETE")[0], 200)
        self.assertTrue(stream.read().endswith(b"data: [DONE]\n\n"))  # who was answered is answered to the end
        self.assertEqual(self.ask("Again?", documents=[document])[0], 404)
        self.wait_until(lambda: self.metric("vllm:num_requests_running") == 0)

    def test_a_client_that_leaves_while_its_pages_are_read(self):
        """While its file is opened, drawn, encoded, read: nothing goes on for nobody, and nothing is left behind."""
        self.end(self.process)
        self.serve("--cache-kv-mib", "0")  # which would keep what was read to its end
        text = "".join(f"Line {i} of a long document about bridges and tides.\n" for i in range(6000))
        for name, content in (("long.txt", text.encode()), ("long.pdf", documents.pdf([f"Page {i} of many" for i in range(40)]))):
            part = {"type": "file", "file": {"filename": name, "file_data": base64.b64encode(content).decode()}}
            body = json.dumps({"messages": [{"role": "user", "content": [part, {"type": "text", "text": "What?"}]}], "max_tokens": 3})
            for pause in (0, 0.03, 0.1, 0.3):
                client = HTTPConnection("127.0.0.1", int(self.base_url.rsplit(":", 1)[1]), timeout=60)
                client.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
                time.sleep(pause)
                client.close()
        self.wait_until(lambda: self.metric("vllm:num_requests_running") == 0 and self.metric("vllm:num_requests_waiting") == 0)
        self.assertEqual(self.metric("vllm:kv_cache_usage_perc"), 0)
        self.assertEqual(self.ask("And me?")[0], 200)

    def test_pages_are_drawn_as_the_model_reads_best(self):
        self.end(self.process)
        self.model = self.tiny_model("page_dpi=96")
        self.process = self.serve()
        self.port = int(self.base_url.rsplit(":", 1)[1])
        note = serving.form("note.txt", "One line of a note.\n" * 60)
        style = b'--B\r\nContent-Disposition: form-data; name="style"\r\n\r\n%s\r\n'
        for chosen, dpi in ((b'{"font-size": 10}', 96), (b'{"dpi": 72}', 72)):
            uploaded = json.loads(self.call("/v1/documents", style % chosen + note, serving.FORM)[2])
            self.assertIn(uploaded["dpi"], (None, dpi), "not known before it is drawn")
            document = uploaded["id"]
            self.call(f"/v1/documents/{document}/events")
            self.assertEqual(json.loads(self.call("/v1/documents/" + document)[2])["dpi"], dpi)
        document = self.upload("note.txt", "One line of a note.\n" * 60)
        figures = json.loads(self.call("/v1/documents/" + document)[2])
        self.assertEqual(figures["dpi"], 96)
        inline = {"type": "file", "file": {"filename": "note.txt", "file_data": base64.b64encode(b"One line of a note.\n" * 60).decode()}}
        body = {"messages": [{"role": "user", "content": [inline, {"type": "text", "text": "What?"}]}], "max_tokens": 2}
        usage = json.loads(self.call("/v1/chat/completions", json.dumps(body).encode())[2])["usage"]
        self.assertEqual(usage["prompt_tokens_details"]["image_tokens"], figures["image_tokens"])

    def test_several_turns(self):
        document = self.upload("note.txt", "One line of a note.\n" * 50)
        turns = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "What is it?"}, {"role": "assistant", "content": "A note."},
                 {"role": "user", "content": [{"type": "text", "text": "And how"}, {"type": "text", "text": "long?"}]}]
        answers = [json.loads(self.call("/v1/chat/completions", json.dumps({"documents": [document], "messages": turns[:n], "max_tokens": 4}).encode())[2])
                   for n in (2, 4)]
        self.assertGreater(answers[1]["usage"]["prompt_tokens"], answers[0]["usage"]["prompt_tokens"])
        self.assertGreater(answers[1]["usage"]["prompt_tokens_details"]["cached_tokens"], 0)
