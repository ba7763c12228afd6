"""What Prometheus reads."""
import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

import serving

PROMTOOL = next((str(path) for path in (Path(os.environ.get("GLYPH_BUILD_DIR", "."), "..", "promtool"), shutil.which("promtool") or "")
                 if Path(path).is_file()), None)
# Names of vLLM's that dashboards ask for; its documentation of production metrics lists them.
VLLM = ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc", "prompt_tokens_total", "generation_tokens_total",
        "prefix_cache_queries_total", "prefix_cache_hits_total", "request_success_total", "time_to_first_token_seconds",
        "inter_token_latency_seconds", "e2e_request_latency_seconds", "request_queue_time_seconds", "request_inference_time_seconds",
        "request_prefill_time_seconds", "request_decode_time_seconds", "request_prompt_tokens", "request_generation_tokens",
        "request_params_max_tokens", "request_params_n")


class Metrics(serving.ServeTest):
    def after_a_question(self):
        self.serve()
        document = self.upload("harbour.txt", "The harbour bridge was opened in 1957. " * 20)
        self.assertEqual(self.ask("When?", documents=[document])[0], 200)
        self.assertEqual(self.call("/v1/nothing")[0], 404)
        return self.call("/metrics")[2].decode()

    def test_vllms_names(self):
        types = dict(re.findall(r"^# TYPE vllm:(\S+) (\S+)$", self.after_a_question(), re.MULTILINE))
        self.assertEqual(set(VLLM) - set(types), set())
        for name, kind in types.items():
            self.assertEqual(kind == "counter", name.endswith("_total"), name)

    @unittest.skipUnless(PROMTOOL, "no promtool")
    def test_promtool_has_nothing_to_say_but_that_vllms_names_have_a_colon(self):
        result = subprocess.run([PROMTOOL, "check", "metrics"], input=self.after_a_question(), capture_output=True, text=True, timeout=60)
        self.assertEqual(result.stdout, "")
        complaints = [line for line in result.stderr.splitlines() if not re.fullmatch(r"vllm:\S+ metric names should not contain ':'", line)]
        self.assertEqual(complaints, [])
        self.assertIn(result.returncode, (0, 3))  # 3: read, with something to say


if __name__ == "__main__":
    unittest.main()
