"""glyph bench ladder and --random-weights on a tiny model, on the processor."""
import json
import shutil
import unittest
import xml.etree.ElementTree as ElementTree

from harness import GlyphTest


class Ladder(GlyphTest):
    def setUp(self):
        super().setUp()
        self.config = self.dir / "config-only"
        self.config.mkdir()
        shutil.copy(self.model / "config.json", self.config)

    def ladder(self, *args):
        return self.run_glyph("bench", "ladder", "-m", self.config, "--random-weights", "3", "--device", "cpu", "--repeats", "1",
                              "--answer-tokens", "5", "--threads", "2", *args)

    def test_all_it_can_measure(self):
        result = self.ladder("--pages", "2", "--picture", "280x560", "--grow", "1,2", "--streams", "4", "--documents", "2", "--json-file", "out.json",
                             "--svg", "out.svg")
        self.assert_ok(result)
        report = json.loads((self.dir / "out.json").read_text())
        rows = {(row["row"], row["workload"]): row for row in report["rows"]}
        self.assertEqual([row for row, workload in rows if workload == "2 pages"], ["fp32", "bf16", "compiled", "first", "later", "draft"])
        self.assertEqual([row for row, workload in rows if "picture" in workload], ["bf16"])
        for row in rows.values():
            self.assertNotIn("problem", row)
            self.assertEqual(row["answer_tokens"], 5)
            self.assertGreater(row["total_ms"], row["first_token_ms"])
            self.assertAlmostEqual(sum(row["share"][stage] for stage in ("vision", "prefill", "decode")), 100, delta=0.3)
            self.assertGreater(row["prefill_tflop_per_s"], 0)
        plain, later = rows["fp32", "2 pages"], rows["later", "2 pages"]
        self.assertEqual((plain["pages"], plain["patches"], plain["cached_tokens"]), (2, 2 * 60 * 42, 0))
        self.assertEqual(plain["speedup"], 1)
        self.assertGreater(later["cached_tokens"], 2 * 630)
        self.assertEqual(later["patches"], 0)
        self.assertGreater(rows["draft", "2 pages"]["accepted_share"], 0.5)
        self.assertEqual(rows["bf16", "280x560 picture"]["patches"], 20 * 40)
        self.assertEqual([entry["pages"] for entry in report["growth"]], [1, 2])
        for entry in report["growth"]:
            self.assertGreater(entry["as_text"]["prompt_tokens"], entry["as_pages"]["prompt_tokens"])
        self.assertGreater(report["streams"]["scheduled_tokens_per_s"], 0)
        self.assertGreater(report["streams"]["model_tokens_per_s"], 0)
        self.assertGreater(report["limits"]["tflop_per_s"], 0)
        self.assertIn("glyph bench ladder", report["command"])
        for words in ("fp32 plain", "later question", "2 pages", "4 streams on 2 documents", "280x560 picture"):
            self.assertIn(words, result.out)

    def test_the_chart_is_a_drawing(self):
        self.assert_ok(self.ladder("--pages", "1", "--rows", "bf16,later", "--svg", "out.svg"))
        root = ElementTree.parse(self.dir / "out.svg").getroot()
        self.assertTrue(root.tag.endswith("svg"))
        texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
        self.assertIn("+ half precision, bf16", texts)
        self.assertGreaterEqual(len(list(root.iter("{http://www.w3.org/2000/svg}rect"))), 2 * 3)

    def test_refuses_what_it_cannot_measure(self):
        for arguments, words in ((("--rows", "bf16,warp"), 'no row "warp"'), (("--rows", "fp8"), 'no row "fp8"'), (("--grow", "5,1"), "no rising list"),
                                 (("--grow", "1,x"), "no rising list"), (("--picture", "8193x28"), "no WIDTHxHEIGHT"), (("--picture", "20"), "no WIDTHxHEIGHT")):
            result = self.ladder("--pages", "1", *arguments)
            self.assertEqual(result.code, 2, result)
            self.assertIn(words, result.err)

    def test_time_that_is_over(self):
        result = self.ladder("--pages", "1", "--rows", "bf16", "--grow", "1,2,4,8,16,32,64", "--seconds", "1", "--json")
        self.assert_ok(result)
        self.assertIn("--seconds are over", json.dumps(result.json))


class RandomWeights(GlyphTest):
    def setUp(self):
        super().setUp()
        self.config = self.dir / "config-only"
        self.config.mkdir()
        shutil.copy(self.model / "config.json", self.config)
        self.write("note.txt", "A short note.\n")

    def ask(self, seed):
        result = self.run_glyph("ask", "-m", self.config, "--random-weights", seed, "--device", "cpu", "--precision", "fp32", "--max-tokens", "12", "--json",
                                "note.txt", "What?")
        self.assert_ok(result)
        return result.json

    def test_a_seed_gives_an_answer_of_its_own(self):
        first = self.ask("1")
        self.assertEqual(first["answer"], self.ask("1")["answer"])
        self.assertNotEqual([self.ask(str(seed))["answer"] for seed in (2, 3)], [first["answer"]] * 2)
        self.assertEqual(first["usage"]["image_tokens"], self.ask("2")["usage"]["image_tokens"])

    def test_a_model_that_does_not_fit_is_refused_with_figures(self):
        config = json.loads((self.config / "config.json").read_text())
        config["text_config"].update(intermediate_size=200_000, hidden_size=1024, num_attention_heads=64, num_hidden_layers=200)
        config["vision_config"].update(out_hidden_size=1024)
        (self.config / "config.json").write_text(json.dumps(config))
        result = self.run_glyph("ask", "-m", self.config, "--random-weights", "1", "--device", "cpu", "note.txt", "What?")
        self.assertEqual(result.code, 1, result)
        self.assertRegex(result.err, r"this machine has [\d.]+ [GM]iB free, [\d.]+ GiB too few for weights [\d.]+ GiB, workspace")

    def test_doctor_says_what_the_model_takes(self):
        result = self.run_glyph("doctor", "-m", self.config, "--random-weights", "1", "--device", "cpu", "--json")
        room = next(check for check in result.json["checks"] if check["check"] == "room")
        self.assertEqual(room["state"], "ok")
        self.assertRegex(room["detail"], r"this machine has .* free; the model at least: weights \d+ MiB, .* together")


if __name__ == "__main__":
    unittest.main()
