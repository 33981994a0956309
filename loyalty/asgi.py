"""The ASGI application, for servers that want one; gunicorn serves `loyalty.wsgi`."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty.settings")
application = get_asgi_application()
