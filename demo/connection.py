"""The stock ONE client, set up for one instance without touching the user's own settings."""

import os
from pathlib import Path
from typing import Any


def connect(*, url: str, data_server: str, username: str, password: str, home: Path, cache: Path) -> Any:
    """A logged-in `one.api.OneAlyx` whose settings live below `home` and whose downloads go to `cache`.

    ONE keeps its settings (`~/.one`) below HOME, so HOME is changed for this process.
    """
    home.mkdir(parents=True, exist_ok=True)
    cache.mkdir(parents=True, exist_ok=True)
    os.environ["HOME"] = str(home)
    import one.params  # noqa: PLC0415 it looks at HOME when imported
    from one.api import ONE  # noqa: PLC0415

    one.params.setup(client=url, silent=True, username=username, cache_dir=cache, make_default=True)
    settings = one.params.get(client=url, silent=True)
    data = {"HTTP_DATA_SERVER": data_server, "HTTP_DATA_SERVER_LOGIN": username, "HTTP_DATA_SERVER_PWD": password}
    for name, value in data.items():
        settings = settings.set(name, value)
    one.params.save(settings, url)
    ONE.cache_clear()
    return ONE(base_url=url, username=username, password=password, silent=True, cache_rest=None)
