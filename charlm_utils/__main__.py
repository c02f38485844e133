"""The program ``charlm``: what every command shares, that is, signals, errors in one line and standard output.

This module imports nothing that takes time, so that a signal is understood from the start.
"""

import contextlib
import io
import os
import signal
import sys
import threading
import warnings

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
_BROKEN_PIPE = 141  # what a shell says of a program that SIGPIPE ended


class Stopped(KeyboardInterrupt):
    """A signal asked the program to stop; ``number`` is the signal's."""

    def __init__(self, number=signal.SIGINT):
        super().__init__()
        self.number = int(number)


def main(arguments=None):
    """Run the command line and return its status.

    An error in the input ends it with one line on standard error and status 2; Ctrl-C, SIGTERM and SIGHUP with one
    line that says what is kept and 128 plus the number of the signal; a closed pipe silently with status 141.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    _write_any_character()
    command = None
    try:
        with _signals_raise(), _warnings_in_one_line():
            from charlm_utils.commands import Command

            command = Command(arguments)
            command.run()
            sys.stdout.flush()
        return 0
    except BrokenPipeError:
        return _BROKEN_PIPE
    except (OSError, ValueError) as error:
        _say(f"error: {command.in_flags(str(error)) if command else error}")
        return 2
    except KeyboardInterrupt as stop:
        _say(f"stopped; {command.what_is_kept() if command else 'nothing was begun'}")
        return 128 + getattr(stop, "number", signal.SIGINT)
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        _say("error: there is not enough memory for this; take a smaller model, batch or text")
        return 2
    finally:
        _let_go_of_output()


def _say(message):
    """Print one line on standard error, below whatever stands on the screen."""
    if sys.stdout is not None and sys.stdout.isatty():
        print()
    print("charlm:", " ".join(message.splitlines()), file=sys.stderr, flush=True)


@contextlib.contextmanager
def _signals_raise():
    """Let the signals that end a program raise :class:`Stopped`; a second one ends it at once.

    Signals that whoever started the program had switched off stay so: ``nohup`` does that.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in _SIGNALS:
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, _raise_stopped)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _warnings_in_one_line():
    """Show Python's warnings as the program shows its own, without the place in the code.

    Warnings of what will be gone from a library are for those who write programs, not for those who use them.
    """

    def show(message, *_):
        print("charlm: warning:", " ".join(str(message).splitlines()), file=sys.stderr, flush=True)

    with warnings.catch_warnings():
        warnings.showwarning = show
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _raise_stopped(number, frame):
    for name in _SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    raise Stopped(number)


def _write_any_character():
    """Show characters that the terminal's encoding has not as ``\\u...``, instead of failing on them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _let_go_of_output():
    """Send what cannot be written, for example to a closed pipe, nowhere: Python would complain at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_out_of_memory(error):
    """Whether an error says so; that of TensorFlow is known by its name, since it may not be imported."""
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"


if __name__ == "__main__":
    sys.exit(main())
