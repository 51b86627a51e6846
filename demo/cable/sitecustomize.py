"""Python runs this when it starts and this folder is on its path: how the demo's instance gets its bad cable."""

import os

if os.environ.get("DEMO_BAD_CABLE"):
    from demo.bad_cable import Cable

    Cable.of_environment().connect()
