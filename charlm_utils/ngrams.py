"""Counting models: the next character from the few before it, by counting and smoothing."""

from dataclasses import dataclass

import numpy as np

from charlm_utils import counting

SMOOTHINGS = ("kneser-ney", "witten-bell", "add-k")


@dataclass(frozen=True)
class _Level:
    """What a model knows of the contexts of one length; keys are sorted, so that a search finds them.

    The keys are those of :func:`~charlm_utils.counting.count_ngrams`. With them, p(next | context) =
    share of the entry + backoff of the context * p(next | shorter context).
    """

    context_keys: np.ndarray  # (contexts,)
    entry_keys: np.ndarray  # (entries,)
    share: np.ndarray  # (entries,)
    backoff: np.ndarray  # (contexts,)


class NgramModel:
    """A counting model of order n: it guesses the next character from the ``order - 1`` before it.

    Parameters
    ----------
    order : int
        At least 1. Order 1 looks at no context, order 2 counts pairs, and so on.
    smoothing : {"kneser-ney", "witten-bell", "add-k"}
        Interpolated modified Kneser-Ney (Chen and Goodman 1998), interpolated Witten-Bell (1991, method C), or
        ``k`` added to every count after the longest context, with no help from shorter ones.
    k : float
        What add-k adds, above 0; the other two do not use it.

    Attributes
    ----------
    discounts : numpy.ndarray or None
        Of Kneser-Ney, after ``fit``: float64 ``(order, 3)``, row i holds D1, D2, D3+ for contexts of i characters.

    Raises
    ------
    ValueError
        If the order is not an integer of at least 1, the smoothing is unknown, or ``k`` is not above 0 and finite.

    Examples
    --------
    >>> model = NgramModel(2, "add-k", k=1).fit([0, 1, 0, 1, 0], vocab_size=3)
    >>> model.probabilities([0]).round(3).tolist()  # 0 was followed by 1 twice
    [0.2, 0.6, 0.2]
    """

    def __init__(self, order, smoothing="kneser-ney", k=1.0):
        counting.check_integer("order", order, 1)
        if smoothing not in SMOOTHINGS:
            raise ValueError(f"smoothing must be one of {', '.join(SMOOTHINGS)}, got {smoothing!r}")
        if not 0 < k < np.inf:
            raise ValueError(f"k must be above 0 and finite, got {k}")
        self.order, self.smoothing, self.k = order, smoothing, k
        self.vocab_size = self.discounts = self._levels = None

    def fit(self, ids, vocab_size):
        """Count a text; what was counted before is forgotten.

        Parameters
        ----------
        ids : array of int
            ``(n,)``, at least ``order`` of them.
        vocab_size : int
            Number of characters that can come, whether ``ids`` holds them or not.

        Returns
        -------
        NgramModel
            The model itself.

        Raises
        ------
        ValueError
            If ``ids`` is not a 1-D array of integers from 0 to ``vocab_size - 1``, or is too short.
        """
        counting.check_integer("vocab_size", vocab_size, 1)
        ids = counting.check_ids(ids, vocab_size, self.order, f"for order {self.order}")
        kneser_ney = self.smoothing == "kneser-ney"
        levels, discounts = [], []
        for context_keys, entry_keys, counts in counting.count_ngrams(ids, vocab_size, self.order, kneser_ney):
            contexts = entry_keys // vocab_size
            if kneser_ney:
                discounts.append(counting.estimate_discounts(counts))
                smoothed = counting.discount_counts(contexts, counts, discounts[-1])
            else:
                added = np.bincount(contexts) if self.smoothing == "witten-bell" else self.k * vocab_size
                smoothed = counting.add_to_counts(contexts, counts, added)
            levels.append(_Level(context_keys, entry_keys, *smoothed))
        self.vocab_size, self._levels = vocab_size, levels
        self.discounts = np.array(discounts) if discounts else None
        return self

    def target_probabilities(self, ids):
        """Return the probability of each character after the first, given those before it: float64 ``(n - 1,)``.

        Raises
        ------
        ValueError, RuntimeError
            If ``ids`` is not a 1-D array of at least 2 integers below ``vocab_size``, or ``fit`` was not called.
        """
        ids = self._fitted_checked(ids, 2, "to score a text")
        p = np.full(len(ids), 1 / self.vocab_size)
        contexts = np.zeros(len(ids), np.int64)  # number of the context before each character, -1 if unseen
        for length, level in enumerate(self._levels[: len(ids)]):
            if length:
                contexts = counting.find_keys(level.context_keys, contexts[1:], ids[:-length], self.vocab_size)
            entries = counting.find_keys(level.entry_keys, contexts, ids[length:], self.vocab_size)
            lower = self._lower(p[length:])
            mixed = level.backoff[contexts] * lower + np.where(entries < 0, 0, level.share[entries])
            p[length:] = np.where(contexts < 0, lower, mixed)  # (n - length,)
        return p[1:]

    def nats_per_char(self, ids):
        """Return the mean of -ln p over all characters after the first, in nats per character.

        The first ones are guessed from as many characters as stand before them. Parameters and errors are those of
        :meth:`target_probabilities`.
        """
        return float(-np.mean(np.log(self.target_probabilities(ids))))

    def probabilities(self, context):
        """Return the probability of every character after a context: float64 ``(vocab_size,)``, of sum 1.

        Parameters
        ----------
        context : array of int
            Ids, as many as you like, or none; the last ``order - 1`` count. The context may be one never seen.

        Raises
        ------
        ValueError, RuntimeError
            If ``context`` is not a 1-D array of integers from 0 to ``vocab_size - 1``, or ``fit`` was not called.
        """
        context = self._fitted_checked(context, 0, "")[::-1]  # the nearest character first
        p = np.full(self.vocab_size, 1 / self.vocab_size)
        number = np.zeros((), np.int64)
        for length, level in enumerate(self._levels[: len(context) + 1]):
            if length:
                number = counting.find_keys(level.context_keys, number, context[length - 1], self.vocab_size)
            p = self._lower(p)
            if number >= 0:
                first = number * self.vocab_size
                entries = slice(*np.searchsorted(level.entry_keys, [first, first + self.vocab_size]))
                p *= level.backoff[number]
                p[level.entry_keys[entries] - first] += level.share[entries]
        return p

    def sample(self, length, prime=(), *, seed=None):
        """Continue a text, one character at a time, each drawn from ``probabilities``.

        Parameters
        ----------
        length : int
            How many characters to draw, at least 1.
        prime : array of int
            Ids of the text to continue; it may be empty.
        seed : int, optional
            The same seed gives the same text; without one, every call gives another.

        Returns
        -------
        numpy.ndarray
            int32 ``(len(prime) + length,)``: the prime and what was drawn.

        Raises
        ------
        ValueError, RuntimeError
            If the length is not an integer of at least 1, or as :meth:`probabilities` says.
        """
        counting.check_integer("length", length, 1)
        primed = self._fitted_checked(prime, 0, "")
        ids = np.concatenate([primed, np.zeros(length, np.int64)])
        draw = np.random.default_rng(seed)
        for t in range(len(primed), len(ids)):
            context = ids[max(0, t - self.order + 1) : t]
            ids[t] = draw.choice(self.vocab_size, p=self.probabilities(context))
        return ids.astype(np.int32)

    def _lower(self, p):
        """Return what the share of a context is mixed with: the shorter context's ``p``, for add-k the same for all."""
        return np.full(p.shape, 1 / self.vocab_size) if self.smoothing == "add-k" else p

    def _fitted_checked(self, ids, least, purpose):
        if self._levels is None:
            raise RuntimeError("the model has counted nothing yet: call fit first")
        return counting.check_ids(ids, self.vocab_size, least, purpose)
