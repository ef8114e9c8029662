"""What is wrong with a bucket, and what to do, by the error of the library."""

from __future__ import annotations

import os

CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN for temporary ones)",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS to the file of a service account",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY (or AZURE_STORAGE_SAS_TOKEN)",
}
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist")
_NO_CREDENTIALS = ("169.254.169.254", "Account must be specified", "token request", "metadata.goog")
_REFUSED = ("403 Forbidden", "401 Unauthorized", "400 Bad Request")
_UNREACHABLE = ("error sending request", "dns error", "builder error", "timed out")


def is_missing_bucket(error: Exception) -> bool:
    """Whether the bucket itself is missing, not an object in it."""
    return _has(error, _NO_BUCKET)


def message_of(url: str, error: Exception) -> str:
    """One line without the provider's answer, except where the reason is not known."""
    scheme, _, rest = url.partition("://")
    bucket = rest.split("/", 1)[0]
    names = CREDENTIALS.get(scheme, "the variables of the provider")
    if is_missing_bucket(error):
        return (
            f"There is no bucket {bucket!r}. Create it, or check its name and the "
            f"endpoint{_endpoint(scheme)}."
        )
    if _has(error, _NO_CREDENTIALS):
        return f"There are no credentials for {url}. Set {names}."
    if _has(error, _REFUSED):
        return (
            f"The credentials do not allow this in {url}. A workspace needs to list, read, write "
            f"and delete objects, inputs to list and read them. Check {names}"
            + (", and AWS_REGION." if scheme == "s3" else ".")
        )
    if _has(error, _UNREACHABLE):
        return _unreachable(url, scheme)
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return f"{url} cannot be used: {reason}"


def _unreachable(url: str, scheme: str) -> str:
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    allowed = os.environ.get("AWS_ALLOW_HTTP", "").lower() == "true"
    if scheme == "s3" and endpoint.startswith("http://") and not allowed:
        return f"The endpoint {endpoint} is not encrypted. Set AWS_ALLOW_HTTP=true to use it."
    return f"{url} cannot be reached. Check the network and the endpoint{_endpoint(scheme)}."


def _endpoint(scheme: str) -> str:
    value = os.environ.get("AWS_ENDPOINT_URL")
    if scheme != "s3":
        return ""
    return f" (AWS_ENDPOINT_URL is {value})" if value else " (AWS_ENDPOINT_URL)"


def _has(error: Exception, signs: tuple[str, ...]) -> bool:
    text = str(error)
    return any(sign in text for sign in signs)
