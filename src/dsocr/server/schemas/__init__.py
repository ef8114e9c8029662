"""Requests and responses, as the OpenAPI document describes them. Pages: see `dsocr.schema`."""
