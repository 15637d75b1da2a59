from __future__ import annotations

import codecs
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybridge.editing.encoding import Document, codec_name, decode, encode
from pybridge.errors import ConfigurationError, EncodingError

pytestmark = pytest.mark.unit

LATIN = "le café est fermé\n".encode("latin-1")
CODECS = ["utf-8", "latin-1", "cp1252", "shift_jis", "gb18030", "big5", "euc-jp", "koi8-r", "utf-16", "utf-7"]


@given(st.binary(max_size=80), st.none() | st.sampled_from(CODECS))
def test_any_bytes_come_back(content: bytes, encoding: str | None) -> None:
    assert encode(decode(content, encoding=encoding), path="/f") == content


@given(st.sampled_from([codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE]), st.binary())
def test_bytes_with_a_mark_come_back(mark: bytes, content: bytes) -> None:
    assert encode(decode(mark + content), path="/f") == mark + content


@given(st.text(), st.sampled_from(["utf-16-le", "utf-16-be", "utf-8", "utf-32-be"]))
def test_text_with_a_mark_is_read_without_it(text: str, codec: str) -> None:
    mark = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE, "utf-8": codecs.BOM_UTF8}
    content = mark.get(codec, codecs.BOM_UTF32_BE) + text.encode(codec)
    if codec == "utf-16-le" and text.startswith("\0"):
        return  # these bytes are the mark of UTF-32
    document = decode(content)
    assert (document.text, document.codec, document.bom) == (text, codec, True)


def test_utf8_needs_no_detection() -> None:
    document = decode("é\r\n".encode(), encoding="latin-1")
    assert document == Document("é\r\n", "utf-8")
    assert document.newline == "\r\n"


def test_a_named_encoding_is_used_where_the_file_fits_it() -> None:
    assert decode(LATIN, encoding="latin1").text == "le café est fermé\n"
    assert decode("日本".encode("shift_jis"), encoding="shift_jis").text == "日本"
    unfit = decode(b"\x81\xff\xff", encoding="shift_jis")
    assert unfit.raw_bytes


def test_an_unsure_detection_is_not_acted_on() -> None:
    document = decode(b"caf\xe9")
    assert (document.codec, document.raw_bytes, document.text) == ("utf-8", True, "caf\udce9")
    assert document.shown == "caf\ufffd"


@pytest.mark.parametrize(("sure", "codec"), [(0.95, "cp1252"), (0.89, "utf-8")])
def test_a_sure_detection_is(monkeypatch: pytest.MonkeyPatch, sure: float, codec: str) -> None:
    monkeypatch.setattr("chardet.detect", lambda content: {"encoding": "Windows-1252", "confidence": sure})
    assert decode(LATIN).codec == codec


def test_a_sequence_that_does_not_decode_is_shown_as_one_character() -> None:
    assert decode(b"a\xe4\xb8b\xff\xfe").shown == "a\ufffdb\ufffd\ufffd"


def test_an_edit_leaves_other_bytes_alone() -> None:
    document = decode(b"a\xff\xfeb\xe9")
    assert encode(document.with_text(document.text.replace("b", "日")), path="/f") == b"a" + (
        b"\xff\xfe" + "日".encode() + b"\xe9"
    )


@pytest.mark.parametrize(
    ("content", "encoding", "text", "code"),
    [
        (LATIN, "latin-1", "€", "U+20AC"),
        ("日".encode("shift_jis"), "cp932", "‖", "U+2016"),  # written as the bytes of U+2225
        (b"a", None, "\udc80", "U+DC80"),
        (b"\xff\xfa", None, "\ud800", "U+D800"),
        (codecs.BOM_UTF16_LE, None, "\ud800", "U+D800"),
    ],
)
def test_what_the_encoding_has_not_is_refused(content: bytes, encoding: str | None, text: str, code: str) -> None:
    document = decode(content, encoding=encoding).with_text(text)
    with pytest.raises(EncodingError) as caught:
        encode(document, path="/srv/f")
    assert caught.value.path == "/srv/f"
    assert "/srv/f" in caught.value.message and code in caught.value.message


def test_a_mark_that_new_text_brings_becomes_the_files() -> None:
    document = decode(b"a").with_text("\ufeffb")
    assert (document.text, document.bom) == ("b", True)
    assert encode(document, path="/f") == codecs.BOM_UTF8 + b"b"
    twice = decode(codecs.BOM_UTF8 * 2 + b"a")
    assert encode(twice.with_text("\ufeffb"), path="/f") == codecs.BOM_UTF8 * 2 + b"b"


@pytest.mark.parametrize("name", ["rot13", "base64", "hex", "no-such", "", "utf\x008"])
def test_what_is_no_text_encoding_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="REMOTE_ENCODING"):
        codec_name(name)


def test_detection_is_loaded_only_for_what_is_not_utf8() -> None:
    program = (
        "import sys; from pybridge.editing.encoding import decode; decode(b'\\xef\\xbb\\xbf\\xc3\\xa9');"
        "before = 'chardet' in sys.modules; decode(b'\\xe9'); print(before, 'chardet' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["False", "True"]
