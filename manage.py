#!/usr/bin/env python
"""Django's command line. With no DATABASE_URL it starts (or finds) the private PostgreSQL of this instance first."""

import os
import sys


def main() -> None:
    """Run the command named on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alyx.settings")
    from alyx.runtime import ensure_database
    from alyx.runtime.launcher import NoLauncher
    from alyx.runtime.postgres import PostgresFailed

    try:
        ensure_database()
    except (NoLauncher, PostgresFailed) as error:
        sys.exit(f"alyx: {error}")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
