"""glyph serve --replicas 2 on a processor: what clients see of two copies of the model, which should be nothing but their figures."""
import json
import re
import threading

import serving

TWO = ["--replicas", "2", "--device", "cpu", "--threads", "1"]
TEXT = "".join(f"This is line {i} of a document about nothing in particular.\n" for i in range(200))


class Replicas(serving.ServeTest):
    def answer(self, words, document):
        status, _, body = self.ask(words, documents=[document])
        self.assertEqual(status, 200, body)
        answer = json.loads(body)
        return answer["choices"][0]["message"]["content"], answer["usage"]["prompt_tokens_details"]["cached_tokens"]

    def each(self, name):
        text = self.call("/metrics")[2].decode()
        return [float(value) for value in re.findall(rf'^{re.escape(name)}\{{[^}}]*engine="\d"\}} (\S+)$', text, re.MULTILINE)]

    def test_answers_are_those_of_one(self):
        answers = []
        for flags in (["--device", "cpu", "--threads", "1"], TWO):
            process = self.serve(*flags)
            documents = [self.upload(f"{i}.txt", TEXT.replace("nothing", f"thing {i}")) for i in range(3)]
            got = {}

            def ask(number):
                got[number] = self.answer(f"Question {number}", documents[number % 3])
            threads = [threading.Thread(target=ask, args=(number,)) for number in range(9)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            answers.append([got[number][0] for number in range(9)])
            self.assertGreater(min(cached for _, cached in got.values()), 500)
            self.end(process)
        self.assertEqual(*answers)
        self.assertTrue(any("2 replicas" in line for line in self.log), self.log)

    def test_load_spreads_and_documents_stay(self):
        self.serve(*TWO)
        documents = [self.upload(f"{i}.txt", TEXT.replace("nothing", f"thing {i}")) for i in range(4)]
        for number in range(8):
            self.assertGreater(self.answer(f"Question {number}", documents[number % 4])[1], 500)
        self.wait_until(lambda: self.each("glyph_requests_finished_total") == [6, 6])
        held = self.each("glyph_prefix_cache_bytes")
        self.assertEqual(held[0], held[1])  # two documents each
        self.assertEqual(json.loads(self.call("/ready")[2]), {"status": "ok", "replicas": [{"status": "ok"}, {"status": "ok"}]})
        for document in documents:
            self.assertEqual(self.call(f"/v1/documents/{document}", method="DELETE")[0], 200)
        self.wait_until(lambda: self.each("glyph_prefix_cache_bytes") == [0, 0])
        self.wait_until(lambda: not list((self.dir / "state" / "cache" / "kv").iterdir()))

    def test_a_restart_finds_what_both_have_read(self):
        process = self.serve(*TWO)
        documents = [self.upload(f"{i}.txt", TEXT.replace("nothing", f"thing {i}")) for i in range(2)]
        before = [self.answer("What is it about?", document)[0] for document in documents]
        self.assertEqual(min(self.each("glyph_requests_finished_total")), 2)
        self.end(process)
        self.serve(*TWO)
        for document, expected in zip(documents, before):
            content, cached = self.answer("What is it about?", document)
            self.assertEqual(content, expected)
            self.assertGreater(cached, 500)
