"""The calls of OpenAI's own client against glyph serve. Runs in the Python that has the client (build/python, made by ./test.sh)."""
import io
import json
import time

import openai
import serving

TEXT = "".join(f"This is line {i} of a document about nothing in particular.\n" for i in range(150))
QUESTION = [{"role": "user", "content": "What is it about?"}]
PERSON = {"type": "object", "properties": {"name": {"enum": ["Ada", "Bob"]}, "age": {"type": "integer"}}, "required": ["name", "age"],
          "additionalProperties": False}


class OpenAiClient(serving.ServeTest):
    def setUp(self):
        super().setUp()
        self.serve()
        self.client = openai.OpenAI(base_url=self.base_url + "/v1", api_key="none", max_retries=0, timeout=60)
        self.addCleanup(self.client.close)
        self.name = self.client.models.list().data[0].id

    def chat(self, **fields):
        return self.client.chat.completions.create(**{"model": self.name, "messages": QUESTION, "max_tokens": 12, **fields})

    def store(self, name, text, purpose):
        return self.client.files.create(file=(name, io.BytesIO(text.encode())), purpose=purpose)

    def test_models(self):
        self.assertEqual([model.object for model in self.client.models.list()], ["model"])
        self.assertEqual(self.client.models.retrieve(self.name).id, self.name)
        with self.assertRaises(openai.NotFoundError):
            self.client.models.retrieve("gpt-9")

    def test_chat(self):
        answer = self.chat(n=2, seed=3, temperature=1, presence_penalty=0.5, frequency_penalty=0.5, stop=["never there"], user="somebody")
        self.assertEqual([choice.index for choice in answer.choices], [0, 1])
        self.assertEqual(answer.choices[0].message.role, "assistant")
        self.assertIn(answer.choices[0].finish_reason, ("stop", "length"))
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)
        self.assertEqual(self.chat(max_tokens=openai.omit, max_completion_tokens=3, temperature=0).usage.completion_tokens, 3)

    def test_stream(self):
        whole = self.chat().choices[0].message.content
        text, reason, usage = "", None, None
        for chunk in self.chat(stream=True, stream_options={"include_usage": True}):
            for choice in chunk.choices:
                text += choice.delta.content or ""
                reason = choice.finish_reason or reason
            usage = chunk.usage or usage
        self.assertEqual(text, whole)
        self.assertIn(reason, ("stop", "length"))
        self.assertGreater(usage.completion_tokens, 0)

    def test_logprobs(self):
        tokens = self.chat(logprobs=True, top_logprobs=5, temperature=0).choices[0].logprobs.content
        self.assertEqual(len(tokens), 12)
        for token in tokens:
            self.assertEqual(len(token.top_logprobs), 5)
            self.assertLessEqual(token.logprob, 0)
            self.assertGreaterEqual(token.top_logprobs[0].logprob, token.logprob)
        plain = self.client.completions.create(model=self.name, prompt="Once", logprobs=2, max_tokens=4, temperature=0).choices[0].logprobs
        self.assertEqual([len(part) for part in (plain.tokens, plain.token_logprobs, plain.top_logprobs, plain.text_offset)], [4, 4, 4, 4])

    def test_json_forms(self):
        form = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": PERSON}}
        for seed in range(4):
            choice = self.chat(response_format=form, temperature=1, seed=seed, max_tokens=200).choices[0]
            self.assertEqual(choice.finish_reason, "stop")
            person = json.loads(choice.message.content)
            self.assertEqual(list(person), ["name", "age"])
            self.assertIn(person["name"], ("Ada", "Bob"))
            self.assertIsInstance(person["age"], int)
        cut = self.chat(response_format={"type": "json_object"}, max_tokens=1).choices[0]
        self.assertEqual((cut.finish_reason, cut.message.content), ("length", "{"))
        form["json_schema"]["schema"] = {"type": "string", "pattern": "x"}
        with self.assertRaisesRegex(openai.BadRequestError, "keyword pattern"):
            self.chat(response_format=form)

    def test_completions(self):
        answer = self.client.completions.create(model=self.name, prompt="Once upon a time", max_tokens=8, n=2, temperature=1)
        self.assertEqual((answer.object, len(answer.choices), answer.usage.completion_tokens), ("text_completion", 2, 16))
        whole = self.client.completions.create(model=self.name, prompt="Once upon a time", max_tokens=20, temperature=0).choices[0].text
        pieces = self.client.completions.create(model=self.name, prompt="Once upon a time", max_tokens=20, temperature=0, stream=True)
        self.assertEqual("".join(choice.text for chunk in pieces for choice in chunk.choices), whole)
        with self.assertRaisesRegex(openai.BadRequestError, "echo"):
            self.client.completions.create(model=self.name, prompt="Once", echo=True)

    def test_files(self):
        file = self.store("note.txt", TEXT, "user_data")
        self.assertEqual(self.client.files.wait_for_processing(file.id, poll_interval=0.1).status, "processed")
        self.assertEqual(self.client.files.content(file.id).text, TEXT)
        parts = [{"type": "file", "file": {"file_id": file.id}}, {"type": "text", "text": "What is it about?"}]
        answer = self.chat(messages=[{"role": "user", "content": parts}])
        self.assertGreater(answer.usage.prompt_tokens_details.cached_tokens, 0)
        self.assertEqual(self.chat(extra_body={"documents": [file.id]}).model_extra["glyph"]["pages"], answer.model_extra["glyph"]["pages"])
        more = [self.store(f"{i}.jsonl", f"{{}}{i}", "batch").id for i in range(3)]
        listed = [each.id for each in self.client.files.list(limit=2)]  # turns the pages
        self.assertEqual(sorted(listed), sorted([file.id, *more]))
        self.assertEqual(len(list(self.client.files.list(purpose="batch"))), 3)
        self.assertTrue(self.client.files.delete(file.id).deleted)
        with self.assertRaises(openai.NotFoundError):
            self.client.files.retrieve(file.id)
        with self.assertRaises(openai.BadRequestError):
            self.store("a.txt", TEXT, "fine-tune")

    def test_batches(self):
        lines = [{"custom_id": f"line {i}", "method": "POST", "url": "/v1/chat/completions", "body": {"messages": QUESTION, "max_tokens": 3}} for i in range(5)]
        lines[3]["body"]["temperature"] = 99
        file = self.store("batch.jsonl", "".join(json.dumps(line) + "\n" for line in lines), "batch")
        batch = self.client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"a": "b"})
        until = time.monotonic() + 60
        while batch.status != "completed" and time.monotonic() < until:
            time.sleep(0.1)
            batch = self.client.batches.retrieve(batch.id)
        self.assertEqual(batch.status, "completed")
        self.assertEqual((batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed), (5, 4, 1))
        answers = [json.loads(line) for line in self.client.files.content(batch.output_file_id).text.splitlines()]
        self.assertEqual(sorted(each["custom_id"] for each in answers), ["line 0", "line 1", "line 2", "line 4"])
        self.assertEqual({each["response"]["body"]["usage"]["completion_tokens"] for each in answers}, {3})
        error = json.loads(self.client.files.content(batch.error_file_id).text)
        self.assertEqual((error["custom_id"], error["response"]["body"]["error"]["param"]), ("line 3", "temperature"))
        self.assertEqual([each.id for each in self.client.batches.list()], [batch.id])
        with self.assertRaises(openai.BadRequestError):
            self.client.batches.cancel(batch.id)
