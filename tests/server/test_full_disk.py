"""A disk without any room: for a folder, for a file, for a byte. full_disk.cc plays it."""
import json

import harness
import serving

NOTE = "One line of a note.\n" * 20


class FullDisk(serving.UnharmedTest):
    def serve(self, *args, **kwargs):
        self.sign = self.base / "full"
        env = {"LD_PRELOAD": harness.BIN / "libfull_disk.so", "GLYPH_TEST_DISK_IS_FULL": self.sign}
        return super().serve("--log-file", "/dev/null", *args, env=env, **kwargs)

    def refused(self, path, body, kind="application/json", method=None):
        status, _, answer = self.call(path, body, kind, method)
        self.assertIn(status, (413, 429), (path, answer))
        message = json.loads(answer)["error"]["message"]
        self.assertIn("no room", message, path)
        self.assertNotIn(str(self.dir), message)

    def test_what_is_kept_stays_and_nothing_is_half_made(self):
        kept = self.upload("kept.txt", NOTE)
        conversation = {"title": "x", "documents": [kept], "messages": [{"role": "user", "content": "What?"}]}
        told = json.loads(self.call("/v1/conversations", json.dumps(conversation).encode())[2])["id"]
        questions = json.dumps({"custom_id": "a", "method": "POST", "url": "/v1/chat/completions",
                                "body": {"messages": [{"role": "user", "content": "What?"}], "max_tokens": 4}})
        purpose = b'--B\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        batch_input = json.loads(self.call("/v1/files", purpose + serving.form("questions.jsonl", questions), serving.FORM)[2])["id"]
        before = self.call("/v1/documents")[2]
        self.sign.touch()
        for path in ("/v1/documents", "/v1/files"):
            self.refused(path, serving.form("other.txt", "Another note.\n" * 30), serving.FORM)
        self.refused("/v1/conversations", json.dumps({**conversation, "title": "y"}).encode())
        self.refused("/v1/batches", json.dumps({"input_file_id": batch_input, "endpoint": "/v1/chat/completions", "completion_window": "24h"}).encode())
        self.assertEqual(self.ask("What?", documents=[kept])[0], 200)
        self.assertEqual(self.ask("What?")[0], 200)
        self.assertEqual(self.call("/health")[0], 200)
        self.assertEqual(self.call("/v1/documents")[2], before)
        self.refused("/v1/conversations/" + told, json.dumps({**conversation, "title": "z"}).encode(), method="PUT")
        self.assertEqual(json.loads(self.call("/v1/conversations/" + told)[2])["title"], "x")
        self.assertEqual(self.call("/v1/documents/" + kept, method="DELETE")[0], 200)
        self.sign.unlink()
        self.assertFalse(any((self.dir / "state" / "uploads").iterdir()))
        other = self.upload("other.txt", "Another note.\n" * 30)
        self.assertEqual(self.ask("What?", documents=[other])[0], 200)
        self.assertEqual(self.call("/v1/conversations", json.dumps({**conversation, "title": "y"}).encode())[0], 201)

    def test_a_document_inside_a_message(self):
        self.sign.touch()
        data = "data:text/plain;base64,T25lIGxpbmUgb2YgYSBub3RlLg=="
        part = {"type": "file", "file": {"filename": "note.txt", "file_data": data}}
        body = {"messages": [{"role": "user", "content": [part, {"type": "text", "text": "What?"}]}], "max_tokens": 4}
        status, _, answer = self.call("/v1/chat/completions", json.dumps(body).encode())
        self.assertIn(status, (200, 413, 429), answer)
        self.sign.unlink()
        self.assertEqual(self.call("/v1/chat/completions", json.dumps(body).encode())[0], 200)
