"""The entry point of the original contract: `uvicorn app:app` in this folder."""

import logging
import sys

from dsocr.config import BadSetting, Settings, check_runs_dir
from dsocr.server.app import create_app

logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(name)s: %(message)s")

try:
    settings = Settings.from_environment()
    check_runs_dir(settings.runs_dir)
    app = create_app(settings)
except BadSetting as error:
    sys.exit(f"{error}")
