"""moto's S3 server: versions and conditions as Amazon has them, but it checks neither signatures nor checksums.

    python -m tests.s3.moto_server <folder>

It listens on a free port of the loopback, writes it to `<folder>/port`, and runs until it is killed.
"""

import sys
from pathlib import Path

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.s3.ports import tell_port


class Silent(WSGIRequestHandler):
    """No line for each request; connections stay open."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  (werkzeug's name)
        """Nothing."""


def main() -> None:
    """See the module."""
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent)
    tell_port(Path(sys.argv[1]), server.server_port)
    server.serve_forever()


if __name__ == "__main__":
    main()
