"""The web page at `/`: the built one, or a plain form if it was not built.

The page is static and equal for all clients, so it needs no key.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from dsocr.config import BadSetting, ServerConfig, checkout

CACHE_IMMUTABLE = "public, max-age=31536000, immutable"
CACHE_REVALIDATE = "no-cache"

PLAIN_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>dsocr</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto;
         padding: 0 1rem; }
  pre { background: #8881; padding: 1rem; overflow-x: auto; border-radius: .5rem; }
  form { border: 1px solid #8886; padding: 1rem; border-radius: .5rem; }
  @media (prefers-color-scheme: dark) { body { background: #111; color: #eee; } a { color: #8cf; } }
</style>
<h1>dsocr</h1>
<p>Recognizes images and PDFs and returns markdown with boxes. The service is running; its web
page has not been built. Use this form instead:</p>
<form method="post" action="api/ocr" enctype="multipart/form-data">
  <label>Image or PDF <input type="file" name="image" required></label>
  <button>Recognize</button>
</form>
<p>From a terminal:</p>
<pre>curl -F image=@page.png BASE/api/ocr</pre>
<p><a href="health">/health</a> shows the engine and why it was selected,
<a href="api/modes">/api/modes</a> lists modes, tasks and formats,
<a href="openapi.json">/openapi.json</a> describes every request and response.</p>
</html>
"""


def install(app: FastAPI, config: ServerConfig) -> None:
    """Adds a route for each file of the page. Call it after the routes of the API were added."""
    folder = page_folder(config)
    if folder is None:
        app.add_api_route("/", _plain_page, methods=["GET", "HEAD"], include_in_schema=False)
        return
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        _serve_file(app, f"/{file.name}", file)
    _serve_file(app, "/", folder / "index.html")
    if (folder / "assets").is_dir():
        # Only the assets are compressed: compression would buffer the events of a stream.
        app.mount("/assets", GZipMiddleware(_HashedFiles(directory=folder / "assets")))


def page_folder(config: ServerConfig) -> Path | None:
    """The folder of the built page; None if it was not built. Raises `BadSetting` if the folder
    of the settings has no page."""
    if config.page_dir is not None:
        if not (config.page_dir / "index.html").is_file():
            raise BadSetting(
                f"DEEPSEEK_OCR_SERVER__PAGE_DIR: there is no index.html in {config.page_dir}. "
                "Name the folder of a built page."
            )
        return config.page_dir
    root = checkout()
    folders = [root / "frontend" / "dist"] if root else []
    folders.append(Path(__file__).with_name("built"))  # in a wheel
    return next((folder for folder in folders if (folder / "index.html").is_file()), None)


class _HashedFiles(StaticFiles):
    """Files whose names contain a hash of their content."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = CACHE_IMMUTABLE
        return response


def _serve_file(app: FastAPI, path: str, file: Path) -> None:
    async def serve() -> FileResponse:
        return FileResponse(file, headers={"Cache-Control": CACHE_REVALIDATE})

    app.add_api_route(path, serve, methods=["GET", "HEAD"], include_in_schema=False)


async def _plain_page(request: Request) -> HTMLResponse:
    host = request.headers.get("host", "")
    shown = "".join(character for character in host if character.isalnum() or character in ".:-[]")
    base = f"{request.scope['scheme']}://{shown}"
    return HTMLResponse(
        PLAIN_PAGE.replace("BASE", base), headers={"Cache-Control": CACHE_REVALIDATE}
    )
