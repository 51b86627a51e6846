"""OpenStack Swift with its S3 door, whole in one process: a real S3 server that refuses wrong checksums and signatures.

    python -m tests.s3.swift_server <folder>

Account, container and object server and the proxy share the process, on free ports of the loopback; everything lies
below `<folder>`, which must have extended attributes. It writes the port of its S3 door to `<folder>/port`, and runs
until it is killed.
"""

import eventlet

eventlet.monkey_patch()

import json  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from eventlet import wsgi  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.utils import set_swift_dir  # noqa: E402
from swift.common.wsgi import loadapp  # noqa: E402

from tests.s3.ports import tell_port  # noqa: E402

ACCOUNT, USER, SECRET = "alyx", "tester", "a-secret-for-tests"
SMALLEST_PART = 5 << 20

PROXY = "catch_errors gatekeeper cache listing_formats bulk s3api tempauth copy slo proxy-server"
OPTIONS = {
    "cache": {"use": "", "paste.filter_factory": "tests.s3.swift_server:make_cache"},
    "s3api": {"s3_acl": "false", "location": "us-east-1", "min_segment_size": str(SMALLEST_PART)},
    "tempauth": {f"user_{ACCOUNT}_{USER}": f"{SECRET} .admin .reseller_admin"},
    "proxy-server": {"use": "egg:swift#proxy", "account_autocreate": "true", "allow_account_management": "true"},
}


class Cache:
    """What Swift keeps in memcached: here one process serves all, so a dict does."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}

    def get(self, key: str, **_: Any) -> Any:
        """The value; None: not known."""
        return self.known.get(key)

    def set(self, key: str, value: Any, **_: Any) -> None:
        """Keep it, as memcached would give it back."""
        self.known[key] = json.loads(json.dumps(value))

    def delete(self, key: str, **_: Any) -> None:
        """Forget it."""
        self.known.pop(key, None)


def make_cache(_: dict[str, str], **__: str) -> Callable[[Any], Any]:
    """The filter that hands the cache to each request."""
    cache = Cache()

    def around(app: Any) -> Any:
        def serve(environment: dict[str, Any], start_response: Any) -> Any:
            environment["swift.cache"] = cache
            return app(environment, start_response)

        return serve

    return around


def section(title: str, options: dict[str, str]) -> str:
    """One part of a configuration file."""
    return "\n".join([f"[{title}]", *(f"{name} = {value}" for name, value in options.items()), ""])


def write_configuration(folder: Path, ports: dict[str, int]) -> None:
    """All files below `folder`/etc."""
    etc, disk = folder / "etc", folder / "node" / "d1"
    for made in (etc, disk):
        made.mkdir(parents=True)
    (etc / "swift.conf").write_text(
        section("swift-hash", {"swift_hash_path_prefix": "tests", "swift_hash_path_suffix": "tests"})
        + section("storage-policy:0", {"name": "default", "default": "yes"})
    )
    common = {"swift_dir": str(etc), "log_level": "ERROR", "log_udp_host": "127.0.0.1", "log_udp_port": "9"}
    storage = {"devices": str(folder / "node"), "mount_check": "false", "disable_fallocate": "true"}
    for kind in ("account", "container", "object"):
        (etc / f"{kind}.conf").write_text(
            section("DEFAULT", common | storage)
            + section("pipeline:main", {"pipeline": f"{kind}-server"})
            + section(f"app:{kind}-server", {"use": f"egg:swift#{kind}"})
        )
        ring = RingBuilder(2, 1, 0)
        ring.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": ports[kind], "device": "d1", "weight": 1.0})
        ring.rebalance()
        ring.get_ring().save(str(etc / f"{kind}.ring.gz"))
    text = section("DEFAULT", common) + section("pipeline:main", {"pipeline": PROXY})
    for name in PROXY.split():
        kind = "app" if name == "proxy-server" else "filter"
        options = {"use": f"egg:swift#{name}", **OPTIONS.get(name, {})}
        text += section(f"{kind}:{name}", {option: value for option, value in options.items() if value})
    (etc / "proxy.conf").write_text(text)


def main() -> None:
    """See the module."""
    folder = Path(sys.argv[1])
    listeners = {kind: eventlet.listen(("127.0.0.1", 0)) for kind in ("account", "container", "object", "proxy")}
    ports = {kind: listener.getsockname()[1] for kind, listener in listeners.items()}
    write_configuration(folder, ports)
    set_swift_dir(str(folder / "etc"))
    threads = []
    for kind, listener in listeners.items():
        app = loadapp(str(folder / "etc" / f"{kind}.conf"), global_conf={"swift_dir": str(folder / "etc")})
        threads.append(eventlet.spawn(wsgi.server, listener, app, log_output=False))
    tell_port(folder, ports["proxy"])
    for thread in threads:
        thread.wait()


if __name__ == "__main__":
    main()
