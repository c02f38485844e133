"""Two scales for every chapter, ``reduced`` (minutes on two cores) and ``full`` (real corpora), and the device."""

import contextlib
import os

from charlm_utils.checks import NotNegative, checked

SCALES = ("reduced", "full")


def current_scale():
    """Return the scale that the environment variable ``CHARLM_SCALE`` asks for.

    Returns
    -------
    str
        ``"reduced"`` (the default) or ``"full"``.

    Raises
    ------
    ValueError
        If ``CHARLM_SCALE`` holds anything else.
    """
    scale = os.environ.get("CHARLM_SCALE") or "reduced"
    if scale not in SCALES:
        raise ValueError(f"CHARLM_SCALE must be one of {', '.join(SCALES)}, got {scale!r}")
    return scale


def pick(*, reduced, full):
    """Return ``reduced`` or ``full``, whichever belongs to the current scale.

    Raises
    ------
    ValueError
        If ``CHARLM_SCALE`` holds an unknown scale.
    """
    return {"reduced": reduced, "full": full}[current_scale()]


def describe_session():
    """Return one line that names the device and the scale, and offers the full scale when a GPU is seen.

    On a GPU it also asks TensorFlow to take memory as it needs it, and not all at once.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        with contextlib.suppress(RuntimeError):  # raised where the GPU is in use already
            tf.config.experimental.set_memory_growth(gpu, True)
    line = f"device: {'GPU' if gpus else 'CPU'}, scale: {current_scale()}"
    if gpus and current_scale() == "reduced":
        line += ' (for the full scale, run os.environ["CHARLM_SCALE"] = "full" first)'
    return line


@checked
def tolerance(least: NotNegative):
    """Return by how much two ways to compute the same thing with a network may differ.

    A GPU may multiply in TensorFloat-32, which keeps 10 of float32's 23 bits after the leading one: 1e-3, relative to
    numbers of size 1.

    Parameters
    ----------
    least : float
        What is allowed on a CPU.

    Returns
    -------
    float
        ``least`` on a CPU, and at least 1e-3 where TensorFlow sees a GPU.
    """
    import tensorflow as tf

    return max(least, 1e-3) if tf.config.list_logical_devices("GPU") else least
