"""Fetching a file over the network, within a time and a size."""

import threading
import time
import urllib.request

from charlm_utils.files import one_line

SILENCE = 20  # seconds that a server may say nothing
SECONDS = 300  # for the whole
_PIECE = 2**16  # bytes


def fetch(url, largest, *, silence=SILENCE, seconds=SECONDS):
    """Return the bytes behind an address, whatever the server does.

    The work is done by a thread that is left to itself when the time is up: looking up an address or reading headers
    that come byte by byte cannot be stopped otherwise. It holds no file and ends with the process.

    Parameters
    ----------
    url : str
        An http or https address; redirections are followed, though not in circles.
    largest : int
        Bytes that there may be.
    silence : float
        Seconds without a byte after which the server is given up.
    seconds : float
        After which everything is.

    Raises
    ------
    OSError
        If the server cannot be reached, answers with an error, breaks off, or takes too long or sends too much; the
        message has one line.
    """
    outcome = {}
    arguments = (outcome, url, largest, silence, seconds)
    worker = threading.Thread(target=_work, args=arguments, daemon=True)
    worker.start()
    worker.join(seconds)
    if worker.is_alive():
        raise _late(seconds)
    if "error" in outcome:
        raise OSError(one_line(outcome["error"])) from outcome["error"]
    return outcome["data"]


def _work(outcome, *arguments):
    try:
        outcome["data"] = _read(*arguments)
    except Exception as error:  # urllib and http.client raise many kinds; the thread that waits raises it again
        outcome["error"] = error


def _read(url, largest, silence, seconds):
    end = time.monotonic() + seconds
    data = bytearray()
    with urllib.request.urlopen(url, timeout=silence) as answer:
        announced = answer.headers.get("Content-Length")
        while piece := answer.read1(_PIECE):
            data += piece
            if len(data) > largest:
                raise OSError(f"the server sends more than {largest:,} bytes")
            if time.monotonic() > end:
                raise _late(seconds)
    if announced is not None and len(data) < int(announced):
        raise OSError(f"got only {len(data)} out of {announced} bytes")
    return bytes(data)


def _late(seconds):
    return TimeoutError(f"it took more than {seconds:g} seconds")
