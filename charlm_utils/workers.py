"""Several processes of one machine that train together, as several machines would."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from charlm_utils.checks import AnyPath, Positive, checked, integer

_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_NUM_INTRAOP_THREADS": "1"}  # one thread each: they share the machine
Count = integer(1, 64)
_SHOWN = 2000  # characters of what a failed process wrote, the last


@checked
def cluster_settings(count: Count):
    """Return for every worker what its environment variable ``TF_CONFIG`` must say, with free ports of this machine.

    Parameters
    ----------
    count : int
        Number of workers, at most 64.

    Returns
    -------
    list of str
        JSON: the addresses of all workers, and which of them this one is.
    """
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in listeners]
    for listener in listeners:
        listener.close()
    settings = []
    for number in range(count):
        settings.append({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}})
    return [json.dumps(one) for one in settings]


@checked
def run_workers(script: AnyPath, count: Count = 2, *, seconds: Positive = 300.0):
    """Run a Python script in several processes that know of each other, and return what each printed.

    When one of them fails or the time is up, all are ended: those that are left would wait for it for ever.

    Parameters
    ----------
    script : str or Path
        A file that makes a ``tf.distribute.MultiWorkerMirroredStrategy`` and trains with it; every worker runs it.
    count : int
        Number of workers, at most 64.
    seconds : float
        That they may take, start included.

    Returns
    -------
    list of str
        What every worker wrote to its standard output, that of the first one first.

    Raises
    ------
    FileNotFoundError
        If there is no such script.
    RuntimeError
        If a worker fails or the time is up; the message ends with what the failed one wrote to its standard error.
    """
    if not Path(script).is_file():
        raise FileNotFoundError(f"script must be a file, got {script}")
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder, f"output-{number}") for number in range(count)]
        errors = [Path(folder, f"errors-{number}") for number in range(count)]
        processes = []
        try:
            for number, settings in enumerate(cluster_settings(count)):
                environment = os.environ | _QUIET | {"TF_CONFIG": settings}
                with open(outputs[number], "wb") as output, open(errors[number], "wb") as error:
                    command = [sys.executable, str(script)]
                    processes.append(subprocess.Popen(command, env=environment, stdout=output, stderr=error))
            failed = _wait(processes, seconds)
        finally:
            for process in processes:
                process.kill()
                process.wait()
        if failed is not None:
            written = errors[failed].read_text("utf-8", "replace")[-_SHOWN:]
            status = processes[failed].returncode
            raise RuntimeError(f"worker {failed} of {count} ended with status {status} or was late: {written}")
        return [output.read_text("utf-8") for output in outputs]


def _wait(processes, seconds):
    """Wait until all processes have ended well; return the number of the first that has not, or None."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        statuses = [process.poll() for process in processes]
        for number, status in enumerate(statuses):
            if status:
                return number
        if None not in statuses:
            return None
        time.sleep(0.05)
    return [process.poll() is None for process in processes].index(True)
