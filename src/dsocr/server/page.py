"""What a browser gets at `/`: the built web page, or a plain one when it was not built.

The page is static and the same for everybody, so it needs no key.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from dsocr.config import BadSetting, ServerConfig, clone

KEEP_FOREVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"

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
<h1>dsocr reads documents</h1>
<p>Images and PDFs in, markdown with boxes out. This is the service; its web page has not been
built, so here is a plain form:</p>
<form method="post" action="api/ocr" enctype="multipart/form-data">
  <label>Image or PDF <input type="file" name="image" required></label>
  <button>Read</button>
</form>
<p>From a terminal:</p>
<pre>curl -F image=@page.png BASE/api/ocr</pre>
<p><a href="health">/health</a> says which engine reads and why,
<a href="api/modes">/api/modes</a> what can be chosen,
<a href="openapi.json">/openapi.json</a> describes every request and answer.</p>
</html>
"""


def install(app: FastAPI, config: ServerConfig) -> None:
    """Routes for the files that are there now; they come last, after the routes of the API."""
    folder = page_folder(config)
    if folder is None:
        app.add_api_route("/", _plain_page, methods=["GET", "HEAD"], include_in_schema=False)
        return
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        _serve_file(app, f"/{file.name}", file)
    _serve_file(app, "/", folder / "index.html")
    if (folder / "assets").is_dir():
        # Around the assets alone: no event of a stream ever waits for its packing to be worth it.
        app.mount("/assets", GZipMiddleware(_HashedFiles(directory=folder / "assets")))


def page_folder(config: ServerConfig) -> Path | None:
    """Where the built page lies, if it was built. Raises `BadSetting` for a folder without it."""
    if config.page_dir is not None:
        if not (config.page_dir / "index.html").is_file():
            raise BadSetting(
                f"DEEPSEEK_OCR_SERVER__PAGE_DIR: there is no index.html in {config.page_dir}."
            )
        return config.page_dir
    root = clone()
    folders = [root / "frontend" / "dist"] if root else []
    folders.append(Path(__file__).with_name("built"))  # what a wheel brings along
    return next((folder for folder in folders if (folder / "index.html").is_file()), None)


class _HashedFiles(StaticFiles):
    """Files whose names change with their content."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = KEEP_FOREVER
        return response


def _serve_file(app: FastAPI, path: str, file: Path) -> None:
    async def serve() -> FileResponse:
        return FileResponse(file, headers={"Cache-Control": ASK_AGAIN})

    app.add_api_route(path, serve, methods=["GET", "HEAD"], include_in_schema=False)


async def _plain_page(request: Request) -> HTMLResponse:
    host = request.headers.get("host", "")
    shown = "".join(character for character in host if character.isalnum() or character in ".:-[]")
    base = f"{request.scope['scheme']}://{shown}"
    return HTMLResponse(PLAIN_PAGE.replace("BASE", base), headers={"Cache-Control": ASK_AGAIN})
