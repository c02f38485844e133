"""A text that plays itself in the page: each character with the choices that the model had."""

import html
import json

import tensorflow as tf

from charlm_utils.checks import AVocabulary, KerasModel, List, Size, Text, checked, shown
from charlm_utils.models import forward, zero_states
from charlm_utils.sampling import generate
from charlm_utils.vocabulary import visible


class Player:
    """What :func:`play` returns; a notebook shows it as HTML, and as plain text where no script runs.

    Attributes
    ----------
    text : str
        The prime and what the model wrote after it.
    steps : list
        Per written character a pair: its stand-in and the likeliest ``[character, probability]`` pairs.
    """

    @checked
    def __init__(self, text: Text, steps: List):
        self.text, self.steps = text, steps

    def __repr__(self):
        return self.text

    def _repr_html_(self):
        steps = html.escape(json.dumps(self.steps, ensure_ascii=False), quote=True)
        prime = len(self.text) - len(self.steps)
        return (
            f'<div class="charlm-player" data-prime="{prime}" data-steps="{steps}">'
            f"<pre>\n{html.escape(self.text)}</pre></div>"  # HTML drops the first newline of a <pre>
        )


@checked
def play(model: KerasModel, vocabulary: AVocabulary, prime: Text, length: Size, *, most: Size = 5, **settings):
    """Write a text and keep, for every character, the probabilities that it was drawn from.

    Parameters
    ----------
    model, vocabulary, prime, length, **settings
        As for :func:`charlm_utils.sampling.generate`, for one text.
    most : int
        How many of the likeliest characters to keep at each step.

    Returns
    -------
    Player
        Its probabilities are those of the model itself, before any temperature, with two decimals.

    Raises
    ------
    ValueError
        As ``generate``, or if several texts are asked for.
    """
    if settings.get("num_samples") is not None:
        raise ValueError(f"num_samples must be None, since one text is played, got {shown(settings['num_samples'])}")
    text = generate(model, vocabulary, prime, length, **settings)
    written = len(text) - len(vocabulary.encode(prime, settings.get("unknown", "error")))  # fewer after a stop
    logits, _ = forward(model, tf.constant(vocabulary.encode(text)[None, :-1]), zero_states(model, 1))
    top = tf.math.top_k(tf.nn.softmax(logits[0, -written:]), min(most, len(vocabulary)))  # (written, most)
    choices = [
        [[visible(vocabulary.characters[i]), round(float(p), 2)] for i, p in zip(ids, probabilities, strict=True)]
        for ids, probabilities in zip(top.indices.numpy(), top.values.numpy(), strict=True)
    ]
    return Player(text, list(zip(map(visible, text[-written:]), choices, strict=True)))
