"""Every figure of README.md, one after another: `make bench`."""

import subprocess
import sys

RUNS = (
    "benchmarks.copy_with_proof",
    "benchmarks.s3_throughput",
    "benchmarks.planner",
    "benchmarks.calls",
    "benchmarks.animals",
    "benchmarks.import_dump",
    "benchmarks.cache_tables",
)


def main() -> int:
    """Run each in a process of its own; 0 when every bound held."""
    failed = [name for name in RUNS if subprocess.run([sys.executable, "-m", name], check=False).returncode]
    for name in failed:
        sys.stderr.write(f"{name}: a bound was missed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
