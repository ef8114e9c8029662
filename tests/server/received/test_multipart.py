import pytest

from dsocr.server.received.multipart import Preamble, file_name


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("preamble", [b"", b"\r\n", b"words\r\n", b"--frontie\r\n", b"-\n"])
def test_a_preamble_is_skipped_however_the_body_is_split(preamble: bytes, size: int) -> None:
    form = b"--frontier\r\n\r\nwords\r\n--frontier--\r\n"
    body, skipper = preamble + form, Preamble(b"frontier")
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    assert b"".join(map(skipper.rest, pieces)) == form
    assert skipper.ended


def test_a_boundary_inside_a_line_ends_no_preamble() -> None:
    skipper = Preamble(b"b")
    assert skipper.rest(b"words --b\r\n words") == b""
    assert not skipper.ended


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [
        (b'form-data; name="image"', None),
        (b'form-data; name="image"; filename="a.png"', "a.png"),
        (b'form-data; name="image"; filename=""', ""),
        (b"form-data; name=\"image\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe.png", "Gr\u00f6\u00dfe.png"),
        (b"form-data; name=\"image\"; FILENAME*=utf-8'en'%41.png", "A.png"),
        (b"form-data; filename*=UTF-8''b.png; filename=\"a.png\"; name=image", "a.png"),
        (b"form-data; name=image; filename*=ISO-8859-1''Gr%F6%DFe.png", "Gr\u00f6\u00dfe.png"),
        (b"form-data; name=image; filename*=\"UTF-8''%41.png\"", "A.png"),
        (b"form-data; name=image; filename*=nowhere''%41%FF.png", "A\ufffd.png"),
        (b"form-data; name=image; filename*=a.png", "a.png"),
        (b"form-data; name=image; filename*=", ""),
        (b'form-data; name="a; filename*=b"', None),
        (b"form-data; name=image; filename*", None),
    ],
)
def test_the_file_name_of_a_part(disposition: bytes, expected: str | None) -> None:
    assert file_name(disposition) == expected
