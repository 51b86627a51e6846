"""What gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

from alyx.runtime import ensure_database

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alyx.settings")
ensure_database()
application = get_wsgi_application()
