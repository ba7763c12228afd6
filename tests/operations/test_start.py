"""What the server says at its start, to people and to the service manager."""
import json
import os
import resource
import socket
import unittest
from pathlib import Path

import serving


class Start(serving.ServeTest):
    def warnings(self):
        return [line.removeprefix("glyph: warning: ").split(":")[0] for line in self.log if line.startswith("glyph: warning: ")]

    def test_a_machine_that_does_gets_no_warning(self):
        self.serve("--kv-mib", "16", "--cache-kv-mib", "16", "--cache-features-mib", "16")
        self.assertEqual(set(self.warnings()) - {"cpu", "memory", "helper", "files"}, set(), self.log)

    def test_a_line_for_each_problem(self):
        def few_files():
            resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        self.serve("--cache-kv-mib", "4000000", env={"GLYPH_EXTRACT": "/nowhere/glyph-extract"}, preexec_fn=few_files)
        self.assertLessEqual({"memory", "files", "helper"}, set(self.warnings()), self.log)
        self.assertEqual(len(self.warnings()), len(set(self.warnings())))
        line = next(line for line in self.log if "warning: files" in line)
        self.assertIn("256 may be open; all clients at once want 12100", line)

    def test_it_says_where_it_computes(self):
        self.serve()
        self.assertEqual(len([line for line in self.log if " gpu: " in line]), 1, self.log)

    def test_it_takes_as_many_files_as_it_may(self):
        def low_and_high():
            _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
        self.serve(preexec_fn=low_and_high)
        self.assertEqual(self.metric("process_max_fds"), resource.getrlimit(resource.RLIMIT_NOFILE)[1])

    def test_doctor_says_the_same(self):
        result = self.run_glyph("doctor", "--json", env={"GLYPH_EXTRACT": "/nowhere/glyph-extract"})
        self.assertEqual(result.code, 1, result)
        states = {check["check"]: check["state"] for check in result.json["checks"]}
        self.assertEqual((states["helper"], states["model"], states["gpu"]), ("bad", "ok", "ok"))
        self.assertLessEqual({"cpu", "memory", "font", "font (zh)"}, set(states))

    def test_doctor_reads_what_the_driver_says(self):
        result = self.run_glyph("doctor", "--json", env={"LD_LIBRARY_PATH": Path(os.environ["GLYPH_BUILD_DIR"]) / "fake_nvidia"})
        gpu = next(check for check in result.json["checks"] if check["check"] == "gpu")
        self.assertIn("CUDA 13.0, Test GPU 0 (700 W), Test GPU 1 (400 of 700 W)", gpu["detail"])

    def test_systemd_hears_of_ready_and_stopping(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(self.dir / "notify"))
            manager.settimeout(60)
            process = self.serve(env={"NOTIFY_SOCKET": self.dir / "notify"})
            self.assertEqual(manager.recv(100), b"READY=1")
            self.assertEqual(self.call("/ready")[0], 200)
            self.end(process)
            self.assertEqual(manager.recv(100), b"STOPPING=1")
        self.assertEqual(self.code, 0)

    def test_an_abstract_socket_too(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            name = f"glyph-test-{self.base.name}"
            manager.bind("\0" + name)
            manager.settimeout(60)
            self.serve(env={"NOTIFY_SOCKET": "@" + name})
            self.assertEqual(manager.recv(100), b"READY=1")

    def test_ready_and_health(self):
        self.serve()
        for path in ("/health", "/ready"):
            status, _, body = self.call(path)
            self.assertEqual((status, json.loads(body)), (200, {"status": "ok"}))


if __name__ == "__main__":
    unittest.main()
