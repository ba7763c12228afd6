"""The published deployments: single (one question at a time, cached), batch (up to 8 at once, nothing cached), api (many, cached)."""
import json
import threading
import unittest

import harness
import serving


class Profiles(serving.ServeTest):
    def most_at_once(self, questions):
        """The most questions that ran at once while `questions` were asked together."""
        threads = [threading.Thread(target=self.long_answer, args=(number,)) for number in self.long_questions(questions)]
        for thread in threads:
            thread.start()
        most = 0
        while any(thread.is_alive() for thread in threads):
            most = max(most, self.metric("vllm:num_requests_running"))
        for thread in threads:
            thread.join()
        return most

    def cached_tokens(self):
        """Of the second question on an uploaded document."""
        document = self.upload("a.txt", harness.text_of_lines(120))
        self.ask("What is it about?", documents=[document])
        answer = json.loads(self.ask("And what else?", documents=[document])[2])
        return answer["usage"]["prompt_tokens_details"]["cached_tokens"]

    def test_single(self):
        self.serve("--profile", "single")
        self.assertGreater(self.cached_tokens(), 0)
        self.assertEqual(self.most_at_once(4), 1)

    def test_batch(self):
        self.serve("--profile", "batch")
        self.assertEqual(self.cached_tokens(), 0)
        self.wait_until(lambda: self.metric("glyph_prefix_cache_bytes") + self.metric("glyph_feature_cache_bytes") == 0)
        most = self.most_at_once(12)
        self.assertGreaterEqual(most, 4)
        self.assertLessEqual(most, 8)

    def test_api_is_the_default(self):
        self.serve()
        self.assertGreater(self.cached_tokens(), 0)
        most = self.most_at_once(20)
        self.assertGreater(most, 8)
        self.assertLessEqual(most, 16)


if __name__ == "__main__":
    unittest.main()
