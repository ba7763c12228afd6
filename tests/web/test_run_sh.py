"""The same path of a person against `./run.sh` itself, called without arguments, as README.md says: it builds what is not built."""
import harness
import test_real_server


class RunSh(test_real_server.RealServer):
    @classmethod
    def command(cls):
        return [harness.ROOT / "run.sh"]


if __name__ == "__main__":
    test_real_server.unittest.main()
