"""Names, one per example: a split, arrays with a start symbol, a loss without padding, scoring, writing.

TensorFlow is imported by what needs it.
"""

import numpy as np

from charlm_utils.batching import pad_names
from charlm_utils.checks import AVocabulary, KerasModel, NotNegative, Seed, Share, Size, Text, Texts, checked

PADDING = -1  # the target that counts for nothing
END = "\n"  # stands before and after every name


@checked
def split_names(text: Text, *, held_out: Share = 0.1, seed: Seed = 0):
    """Cut a list of names, one per line, into names to learn and names to score.

    A name that stands twice counts once, so that none is on both sides. The order is drawn from the seed, since
    the lists are sorted and a cut would hold out the end of the alphabet.

    Parameters
    ----------
    text : str
        One name per line; empty lines are left out.
    held_out : float
        Share of the names that are held out.
    seed : int
        Of the order.

    Returns
    -------
    tuple of list of str
        Names to learn, names held out.

    Raises
    ------
    ValueError
        If either part would be empty.
    """
    names = sorted({line.strip() for line in text.split(END)} - {""})
    count = round(len(names) * held_out)
    if not 0 < count < len(names):
        raise ValueError(f"held_out={held_out} of {len(names)} different names leaves one part empty")
    order = np.random.default_rng(seed).permutation(len(names))
    shuffled = [names[i] for i in order]
    return shuffled[count:], shuffled[:count]


@checked
def name_windows(names: Texts, vocabulary: AVocabulary, length: Size | None = None):
    """Turn names into inputs and targets for ``fit``.

    Every name is preceded by a newline, the start symbol, and followed by one, which the model must predict. After
    that come newlines as inputs and ``PADDING`` as targets: positions that count for nothing.

    Parameters
    ----------
    names : list of str
        Without newlines.
    vocabulary : Vocabulary
        Holds their characters and the newline.
    length : int, optional
        Columns; by default one more than the longest name has characters.

    Returns
    -------
    tuple of numpy.ndarray
        int32 ``(len(names), length)`` each.

    Raises
    ------
    ValueError
        As :func:`charlm_utils.batching.pad_names`.
    """
    targets = pad_names(names, vocabulary, length)
    end = vocabulary.encode(END)[0]
    inputs = np.concatenate([np.full_like(targets[:, :1], end), targets[:, :-1]], axis=1)
    after_end = np.arange(targets.shape[1]) > np.array([[len(name)] for name in names])
    return inputs, np.where(after_end, PADDING, targets)


def names_loss():
    """Return the loss: cross-entropy in nats per character, with ``PADDING`` left out of sum and count."""
    import keras

    return keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=PADDING)


@checked
def evaluate_names(model: KerasModel, names: Texts, vocabulary: AVocabulary):
    """Score names, each from a zero state, start symbol first.

    Parameters
    ----------
    model : keras.Model
        Ids ``(batch, time)`` to logits ``(batch, time, vocab)``.
    names : list of str
        Names to score.
    vocabulary : Vocabulary
        The one that the model was trained with.

    Returns
    -------
    float
        Mean over all characters of the names and the newline after each, in nats per character.

    Raises
    ------
    ValueError
        As :func:`name_windows`, or if the vocabulary is not as large as the model's.
    """
    import tensorflow as tf

    from charlm_utils.models import warn_without_cudnn
    from charlm_utils.sampling import check_vocabulary

    check_vocabulary(model, vocabulary)
    inputs, targets = name_windows(names, vocabulary)
    warn_without_cudnn(model)
    return float(names_loss()(targets, model(tf.constant(inputs))))


@checked
def write_names(
    model: KerasModel,
    vocabulary: AVocabulary,
    count: Size,
    *,
    prime: Text = "",
    temperature: NotNegative = 1.0,
    seed=None,
    longest: Size = 40,
):
    """Draw names from a model that was trained with :func:`name_windows`.

    Parameters
    ----------
    model, vocabulary
        As for :func:`charlm_utils.sampling.generate`.
    count : int
        Number of names.
    prime : str
        Their first letters; by default the model draws these too.
    temperature, seed
        As for :func:`charlm_utils.sampling.generate`.
    longest : int
        Names are cut off after so many drawn characters.

    Returns
    -------
    list of str
        Each up to its first newline.

    Raises
    ------
    ValueError
        As :func:`charlm_utils.sampling.generate`.
    """
    from charlm_utils.sampling import generate

    settings = {"temperature": temperature, "seed": seed, "num_samples": count}
    texts = generate(model, vocabulary, END + prime, longest, **settings)
    return [text[1:].split(END)[0] for text in texts]
