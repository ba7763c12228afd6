"""What glyph serve keeps on disk: through kill -9, damage, a full disk, deletion and another model."""
import json
import re
import resource
import time
import unittest

import harness
import serving

TEXT = harness.text_of_lines(300)  # 4 pages


class DiskCache(serving.ServeTest):
    @property
    def cache(self):
        return self.dir / "state" / "cache"

    def files(self, folder):
        return sorted((self.cache / folder).iterdir())

    def tier(self, name, tier, kind):
        text = self.call("/metrics")[2].decode()
        return float(re.search(rf'^{name}{{kind="{kind}",[^}}]*tier="{tier}"}} (\S+)$', text, re.MULTILINE)[1])

    def eventually(self, condition):
        end = time.monotonic() + 30
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)

    def wait_until_written(self):
        self.eventually(lambda: self.metric("glyph_cache_unwritten_entries") == 0)

    def wait_until_ready(self, document):
        self.assertIn(b'"state":"ready"', self.call(f"/v1/documents/{document}/events")[2])

    def answer(self, document):
        status, _, body = self.ask("What is it about?", documents=[document])
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def kill(self, process):
        process.kill()
        process.wait()

    def first_life(self):
        """A document, its answer, and a server that was killed when all of it was on disk."""
        process = self.serve()
        document = self.upload("a.txt", TEXT)
        self.wait_until_written()
        answer = self.answer(document)
        self.kill(process)
        return document, answer

    def assert_same(self, before, after):
        self.assertEqual(before["choices"][0]["message"], after["choices"][0]["message"])

    def test_what_was_read_survives_kill_9(self):
        document, before = self.first_life()
        self.serve()
        self.wait_until_ready(document)
        after = self.answer(document)
        self.assert_same(before, after)
        self.assertEqual(before["usage"], after["usage"])  # cached tokens, too
        self.assertEqual(self.tier("glyph_cache_hits_total", "disk", "kv"), 4)
        self.assertEqual(self.tier("glyph_cache_misses_total", "disk", "kv"), 0)
        self.assertEqual(self.tier("glyph_cache_misses_total", "memory", "features"), 0)  # nobody asked: nothing was encoded
        self.assertEqual(self.tier("glyph_cache_bytes", "disk", "kv"), sum(path.stat().st_size for path in self.files("kv")))

    def states(self):
        return {document["id"]: (document["state"], document["pages"]) for document in json.loads(self.call("/v1/documents")[2])["data"]}

    def test_the_start_opens_and_loads_nothing(self):
        process = self.serve()
        documents = [self.upload(f"{i}.txt", f"Number {i}.\n" + TEXT) for i in range(6)]
        answers = {document: self.answer(document) for document in documents}
        self.wait_until_written()
        folders = self.dir / "state" / "documents"
        self.eventually(lambda: all((folders / document / "reading.json").exists() for document in documents))
        self.kill(process)
        first, second, lost, *_ = documents
        (folders / lost / "content.txt").write_bytes(b"")  # nobody looks before somebody asks

        self.serve()
        self.assertEqual(self.states(), {document: ("ready", 4) for document in documents})
        for kind in ("kv", "features"):
            self.assertEqual((self.tier("glyph_cache_bytes", "memory", kind), self.tier("glyph_cache_hits_total", "disk", kind)), (0, 0))
        after = self.answer(first)
        self.assert_same(answers[first], after)
        self.assertEqual(answers[first]["usage"], after["usage"])
        self.assertEqual((self.tier("glyph_cache_hits_total", "disk", "kv"), self.tier("glyph_cache_misses_total", "disk", "kv")), (4, 0))
        self.assertEqual(after["glyph"]["timings_ms"]["render"], 0)  # what its pages are is known without drawing them
        self.assertEqual(self.call(f"/v1/documents/{second}/text")[2].decode(), "Number 1.\n" + TEXT)
        status, _, body = self.ask("What?", documents=[lost])
        self.assertEqual(status, 422, body)
        self.assertEqual(self.states()[lost][0], "failed")
        self.call(f"/v1/documents/{second}", method="DELETE")
        self.call(f"/v1/documents/{documents[4]}", method="DELETE")
        self.eventually(lambda: len(self.files("pages")) == 4)
        self.assertEqual(len(self.states()), 4)
        self.assert_same(answers[documents[5]], self.answer(documents[5]))

    def test_what_the_disk_has_lost_is_read_again(self):
        document, before = self.first_life()
        self.files("kv")[2].unlink()
        self.serve()
        self.wait_until_ready(document)
        self.assert_same(before, self.answer(document))
        self.wait_until_written()
        self.assertEqual(len(self.files("kv")), 4)

    def test_killed_at_any_moment_of_writing(self):
        answers = {}
        for life in range(6):
            process = self.serve()
            for document, before in answers.items():
                self.wait_until_ready(document)
                self.assert_same(before, self.answer(document))
            document = self.upload("a.txt", f"Life number {life}.\n" + TEXT)
            answers[document] = self.answer(document)
            if life % 2 == 0:
                status, _, _ = self.call("/v1/documents", serving.form("b.txt", f"And {life}.\n" + TEXT), serving.FORM)
                self.assertEqual(status, 202)
                time.sleep(0.03 * life)
            self.assertEqual(self.metric("glyph_cache_damaged_total"), 0)
            self.kill(process)
            self.assertFalse([line for line in self.log if "error" in line], self.log)

    def test_damage_is_a_miss(self):
        document, before = self.first_life()
        for number, path in enumerate(self.files("kv") + self.files("features")):
            content = bytearray(path.read_bytes())
            content[number * 1000 % len(content)] ^= 1 << number % 8
            path.write_bytes(content)
        self.serve()
        self.wait_until_ready(document)
        self.assert_same(before, self.answer(document))
        self.assertGreater(self.metric("glyph_cache_damaged_total"), 0)
        self.assertTrue([line for line in self.log if "it was deleted and what it held is computed again" in line], self.log)

    def test_a_full_disk_costs_the_writes_only(self):
        process = self.serve()
        document = self.upload("small.txt", "One line.\n")
        self.wait_until_written()
        largest = max(path.stat().st_size for path in self.files("kv"))
        self.kill(process)

        def small_files():
            resource.setrlimit(resource.RLIMIT_FSIZE, (2 * largest, 2 * largest))
        process = self.serve("--log-file", "/dev/null", preexec_fn=small_files)
        large = self.upload("a.txt", TEXT)
        self.wait_until_written()
        self.assertGreater(self.metric("glyph_cache_dropped_writes_total"), 1)
        before = self.answer(large)
        self.answer(document)
        self.assertIsNone(process.poll())
        self.assertEqual(len([line for line in self.log if "not written" in line]), 1, self.log)
        self.kill(process)
        self.serve()  # there is room again
        self.wait_until_ready(large)
        self.assert_same(before, self.answer(large))
        self.wait_until_written()
        self.assertEqual(len(self.files("kv")), 5)

    def test_a_deleted_document_leaves_nothing(self):
        self.serve()
        kept = self.upload("a.txt", TEXT)
        gone = self.upload("b.txt", TEXT.replace("line 100 ", "line 900 "))
        self.wait_until_written()
        self.assertEqual((len(self.files("kv")), len(self.files("features"))), (7, 5))
        self.call(f"/v1/documents/{gone}", method="DELETE")
        self.eventually(lambda: len(self.files("pages")) == 1)
        self.assertEqual((len(self.files("kv")), len(self.files("features"))), (4, 4))
        self.call(f"/v1/documents/{kept}", method="DELETE")
        self.eventually(lambda: not self.files("kv") and not self.files("features") and not self.files("pages"))
        self.assertEqual(self.tier("glyph_cache_bytes", "memory", "kv"), 0)

    def test_a_document_deleted_behind_the_servers_back(self):
        document, _ = self.first_life()
        for path in sorted((self.dir / "state" / "documents").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        self.serve()
        self.eventually(lambda: not self.files("kv") and not self.files("pages"))
        self.assertEqual(self.call(f"/v1/documents/{document}")[0], 404)

    def test_another_model_uses_nothing(self):
        document, _ = self.first_life()
        self.serve("-m", self.tiny_model("seed=2"))
        self.wait_until_ready(document)
        self.answer(document)
        self.assertTrue([line for line in self.log if "of another model or machine were deleted" in line], self.log)
        self.assertEqual(self.tier("glyph_cache_hits_total", "disk", "kv"), 0)

    def test_a_second_server_does_without_the_disk(self):
        first = self.serve()
        self.upload("a.txt", TEXT)
        self.serve()
        self.assertTrue([line for line in self.log if "another process uses this folder" in line], self.log)
        self.assertEqual(self.call("/health")[0], 200)
        self.assertIsNone(first.poll())

    def test_without_it(self):
        self.serve("--cache-disk-mib", "0")
        self.answer(self.upload("a.txt", TEXT))
        self.assertFalse(self.cache.exists())
        for flag in ("--cache-disk-mib", "--cache-ram-mib"):
            self.assert_one_sentence(self.run_glyph("serve", flag, "-1"), 2, flag, "-1")


if __name__ == "__main__":
    unittest.main()
