"""The entry point of the original contract: `uvicorn app:app` in this folder."""

import logging
import sys

from dsocr.config import BadSetting, Settings
from dsocr.server.app import create_app

logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(name)s: %(message)s")

try:
    app = create_app(Settings.from_environment())
except BadSetting as error:
    sys.exit(f"{error}")
