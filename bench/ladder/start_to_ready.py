"""How long `glyph serve` takes from its start to the first "ready", and to the end of the first answer; the best of a few starts.

    python bench/ladder/start_to_ready.py OUT.json STATE_DIR PORT REPEATS glyph serve ...

STATE_DIR is emptied before each start. The command gets --port and --state.
"""

import http.client
import json
import pathlib
import shutil
import subprocess
import sys
import time

LIMIT_S = 60
QUESTION = {"messages": [{"role": "user", "content": "What does the first line say?"}], "max_tokens": 8, "temperature": 0}


def request(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def start(command, port):
    begin = time.perf_counter()
    server = subprocess.Popen(command)
    try:
        while True:
            try:
                if request(port, "GET", "/ready")[0] == 200:
                    break
            except OSError:
                pass
            if server.poll() is not None or time.perf_counter() - begin > LIMIT_S:
                sys.exit(f"{command[0]} was not ready: exit code {server.returncode}")
            time.sleep(0.005)
        ready = time.perf_counter()
        status, answer = request(port, "POST", "/v1/chat/completions", json.dumps(QUESTION))
        answered = time.perf_counter()
        if status != 200:
            print("the first question was not answered:", status, answer[:300])
        times = {"ready_s": round(ready - begin, 3), "first_answer_s": round(answered - ready, 3)}
        if status == 200:
            request(port, "POST", "/v1/chat/completions", json.dumps(QUESTION))
            times["second_answer_s"] = round(time.perf_counter() - answered, 3)
        return times
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()


def main():
    out, state, port, repeats, *command = sys.argv[1:]
    starts = []
    for _ in range(int(repeats)):
        shutil.rmtree(state, ignore_errors=True)
        starts.append(start([*command, "--port", port, "--state", state], int(port)))
        print(json.dumps(starts[-1]), flush=True)
        best = min(starts, key=lambda times: times["ready_s"])
        pathlib.Path(out).write_text(json.dumps({**best, "starts": starts, "command": " ".join(command[1:])}) + "\n")


if __name__ == "__main__":
    main()
