"""Servers of every kind of ill will, on this machine and with limits of a second or less."""

import contextlib
import itertools
import socket
import threading
import time

import pytest

from charlm_utils.downloads import fetch

LIMITS = {"silence": 0.3, "seconds": 1.0}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
WITHOUT_LENGTH = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@contextlib.contextmanager
def serving(parts, pause=0.0, hold=False):
    """Let a server answer every request with pieces of bytes, with pauses between; then it hangs up or holds the line.

    Yields
    ------
    str
        Its address.
    """
    over = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))

    def answer(line):
        with line, contextlib.suppress(OSError):
            line.recv(10_000)
            for part in parts:
                line.sendall(part)
                if over.wait(pause):
                    return
            if hold:
                over.wait()

    def serve():
        with contextlib.suppress(OSError):
            while True:
                line, _ = server.accept()
                threading.Thread(target=answer, args=(line,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}/file"
    over.set()
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def fail(url, largest=1000, **limits):
    """Return the message of a download that must fail, within the limits."""
    limits = LIMITS | limits
    start = time.monotonic()
    with pytest.raises(OSError) as caught:
        fetch(url, largest, **limits)
    assert time.monotonic() - start < 5
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "answer", [HEAD + b"0123456789", CHUNKS + b"a\r\n0123456789\r\n0\r\n\r\n", WITHOUT_LENGTH + b"0123456789"]
)
def test_what_a_server_sends_is_returned(answer):
    with serving([answer]) as url:
        assert fetch(url, 10, **LIMITS) == b"0123456789"


def test_a_redirection_is_followed():
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(serving([HEAD + b"0123456789"]))
        moved = stack.enter_context(serving([f"HTTP/1.1 302 Found\r\nLocation: {url}\r\n\r\n".encode()]))
        assert fetch(moved, 10, **LIMITS) == b"0123456789"


@pytest.mark.parametrize(
    "parts",
    [(b"",), (HEAD[:20],), (HEAD,), (HEAD, b"01234"), (CHUNKS, b"a\r\n01234")],
    ids=["nothing", "half a head", "a head", "half a body", "half a chunk"],
)
def test_a_server_that_falls_silent_is_given_up(parts):
    with serving(parts, hold=True) as url:
        assert "timed out" in fail(url, seconds=20)


@pytest.mark.parametrize(
    "parts",
    [
        (bytes([byte]) for byte in HEAD * 100),
        itertools.chain([b"HTTP/1.1 200 OK\r\n"], (f"X-{i}: 1\r\n".encode() for i in range(90))),
        itertools.chain([WITHOUT_LENGTH], itertools.repeat(b"0")),
        itertools.chain([CHUNKS], itertools.repeat(b"1\r\n0\r\n")),
    ],
    ids=["a head in bytes", "a head in lines", "a body", "chunks"],
)
def test_a_server_that_drips_is_given_up(parts):
    with serving(parts, pause=0.05) as url:
        assert fail(url, seconds=0.5) == "it took more than 0.5 seconds"


@pytest.mark.parametrize("head", [WITHOUT_LENGTH, b"HTTP/1.1 200 OK\r\nContent-Length: 600000000\r\n\r\n"])
def test_a_server_that_never_ends_is_given_up(head):
    with serving(itertools.chain([head], itertools.repeat(bytes(10_000)))) as url:
        assert fail(url, largest=50_000) == "the server sends more than 50,000 bytes"


def test_redirections_in_a_circle_are_not_followed():
    with serving([b"HTTP/1.1 302 Found\r\nLocation: /file\r\n\r\n"]) as url:
        assert "infinite loop" in fail(url)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (HEAD + b"01234", "got only 5 out of 10 bytes"),
        (CHUNKS + b"a\r\n01234", "IncompleteRead"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "404"),
        (b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n", "302"),
        (b"not HTTP\r\n\r\n", "not HTTP"),
        (b"", "Remote end closed"),
    ],
)
def test_other_answers_are_errors_in_one_line(answer, message):
    with serving([answer]) as url:
        assert message in fail(url)


def test_a_server_that_is_not_there_is_an_error():
    with serving([]) as url:
        pass
    assert "refused" in fail(url)
