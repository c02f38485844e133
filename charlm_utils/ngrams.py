"""Counting models: the next character from the few before it, by counting and smoothing."""

from dataclasses import dataclass

import numpy as np

from charlm_utils.batching import check_ids
from charlm_utils.checks import Flag, Ids, Positive, Seed, Size, VocabSize, checked, choice

SMOOTHINGS = ("kneser-ney", "witten-bell", "add-k")


@dataclass(frozen=True)
class _Level:
    """What a model knows of the contexts of one length; keys are sorted, so that a search finds them.

    The keys are those of :func:`count_ngrams`. With them, p(next | context) =
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

    @checked
    def __init__(self, order: Size, smoothing: choice(*SMOOTHINGS) = "kneser-ney", k: Positive = 1.0):
        self.order, self.smoothing, self.k = order, smoothing, k
        self.vocab_size = self.discounts = self._levels = None

    @checked
    def fit(self, ids: Ids, vocab_size: VocabSize):
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
        kneser_ney = self.smoothing == "kneser-ney"
        levels, discounts = [], []
        for context_keys, entry_keys, counts in count_ngrams(ids, vocab_size, self.order, kneser_ney):
            contexts = entry_keys // vocab_size
            if kneser_ney:
                discounts.append(estimate_discounts(counts))
                smoothed = _discount_counts(contexts, counts, discounts[-1])
            else:
                added = np.bincount(contexts) if self.smoothing == "witten-bell" else self.k * vocab_size
                smoothed = _add_to_counts(contexts, counts, added)
            levels.append(_Level(context_keys, entry_keys, *smoothed))
        self.vocab_size, self._levels = vocab_size, levels
        self.discounts = np.array(discounts) if discounts else None
        return self

    @checked
    def target_probabilities(self, ids: Ids):
        """Return the probability of each character after the first, given those before it: float64 ``(n - 1,)``.

        Raises
        ------
        ValueError, RuntimeError
            If ``ids`` is not a 1-D array of at least 2 integers below ``vocab_size``, or ``fit`` was not called.
        """
        ids = self._fitted_checked(ids, 2, " to score a text", "ids")
        p = np.full(len(ids), 1 / self.vocab_size)
        contexts = np.zeros(len(ids), np.int64)  # number of the context before each character, -1 if unseen
        for length, level in enumerate(self._levels[: len(ids)]):
            if length:
                contexts = _find_keys(level.context_keys, contexts[1:], ids[:-length], self.vocab_size)
            entries = _find_keys(level.entry_keys, contexts, ids[length:], self.vocab_size)
            lower = self._lower(p[length:])
            mixed = level.backoff[contexts] * lower + np.where(entries < 0, 0, level.share[entries])
            p[length:] = np.where(contexts < 0, lower, mixed)  # (n - length,)
        return p[1:]

    @checked
    def nats_per_char(self, ids: Ids):
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
        context = self._fitted_checked(context, 0, "", "context")[::-1]  # the nearest character first
        p = np.full(self.vocab_size, 1 / self.vocab_size)
        number = np.zeros((), np.int64)
        for length, level in enumerate(self._levels[: len(context) + 1]):
            if length:
                number = _find_keys(level.context_keys, number, context[length - 1], self.vocab_size)
            p = self._lower(p)
            if number >= 0:
                first = number * self.vocab_size
                entries = slice(*np.searchsorted(level.entry_keys, [first, first + self.vocab_size]))
                p *= level.backoff[number]
                p[level.entry_keys[entries] - first] += level.share[entries]
        return p

    @checked
    def sample(self, length: Size, prime: Ids = (), *, seed: Seed | None = None):
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
        primed = self._fitted_checked(prime, 0, "", "prime")
        ids = np.concatenate([primed, np.zeros(length, np.int64)])
        draw = np.random.default_rng(seed)
        for t in range(len(primed), len(ids)):
            context = ids[max(0, t - self.order + 1) : t]
            ids[t] = draw.choice(self.vocab_size, p=self.probabilities(context))
        return ids.astype(np.int32)

    def _lower(self, p):
        """Return what the share of a context is mixed with: the shorter context's ``p``, for add-k the same for all."""
        return np.full(p.shape, 1 / self.vocab_size) if self.smoothing == "add-k" else p

    def _fitted_checked(self, ids, least, purpose, name):
        if self._levels is None:
            raise RuntimeError("the model has counted nothing yet: call fit first")
        return check_ids(ids, least=least, vocab_size=self.vocab_size, purpose=purpose, name=name).astype(np.int64)


@checked
def count_ngrams(ids: Ids, vocab_size: VocabSize, order: Size, continuation: Flag = False):
    """Count what follows every context of 0, 1, ... ``order - 1`` characters, by sorting integers.

    Contexts of one length are numbered. A context one character longer is a pair of numbers: that of the shorter
    context, and the id of the character to the left of it. ``shorter * vocab_size + character`` is its key.

    Parameters
    ----------
    ids : numpy.ndarray
        Integers ``(n,)``, from 0 to ``vocab_size - 1``, with ``n >= order``.
    vocab_size, order : int
        Both at least 1.
    continuation : bool
        Kneser-Ney's counts: all but those of the longest contexts say before how *many different* characters
        context and next character were seen, and not how often. The start of the text counts as one of them.

    Returns
    -------
    list of tuple of numpy.ndarray
        For every length ``(context_keys, entry_keys, counts)``, all int64: sorted keys ``(contexts,)``; sorted keys
        ``(entries,)`` of the pairs seen, ``context * vocab_size + next``; and how often, at least once.

    Raises
    ------
    ValueError
        If the ids are not integers from 0 to ``vocab_size - 1``, or fewer than ``order``.
    """
    ids = check_ids(ids, least=order, vocab_size=vocab_size, purpose=f" for order {order}").astype(np.int64)
    levels = []
    numbers = np.zeros(len(ids), np.int64)  # of the context before each character
    context_keys, first = np.zeros(1, np.int64), 0
    for length in range(order):
        if length:
            keys = numbers[1:] * vocab_size + ids[:-length]
            context_keys, numbers = np.unique(keys, return_inverse=True)  # numbers (n - length,)
        followed = numbers * vocab_size + ids[length:]
        entry_keys, counts = np.unique(followed, return_counts=True)
        if continuation and length:
            shorter = context_keys[entry_keys // vocab_size] // vocab_size
            extended = shorter * vocab_size + entry_keys % vocab_size  # keys of entries with one character less
            levels[-1][2][:] = np.bincount(np.searchsorted(levels[-1][1], extended), minlength=len(levels[-1][1]))
            levels[-1][2][first] += 1
        levels.append((context_keys, entry_keys, counts))
        first = np.searchsorted(entry_keys, followed[0])  # the entry that the text begins with
    return levels


@checked
def estimate_discounts(counts: Ids):
    """Estimate how much modified Kneser-Ney takes off counts of 1, of 2, and of 3 and more.

    With n_i the number of counts equal to i and Y = n_1 / (n_1 + 2 n_2), the discounts are
    D_i = i - (i + 1) Y n_{i+1} / n_i, i = 1, 2, 3 (Chen and Goodman 1998). In small texts one can come
    out undefined, 0 or less, or more than i; it is then set to i / 2.

    Parameters
    ----------
    counts : numpy.ndarray
        int64 ``(entries,)``, all at least 1.

    Returns
    -------
    numpy.ndarray
        float64 ``(3,)``, with 0 < D_i <= i.

    Raises
    ------
    ValueError
        If the counts are not a 1-D array of integers of at least 1.
    """
    counts = np.asarray(counts)
    if counts.min(initial=1) < 1:
        raise ValueError(f"counts must be at least 1, got {counts.min()}")
    ones, twos, threes, fours = (np.sum(counts == i) for i in (1, 2, 3, 4))
    with np.errstate(divide="ignore", invalid="ignore"):
        y = ones / (ones + 2 * twos)
        found = np.array([1, 2, 3]) - np.array([2, 3, 4]) * y * np.divide([twos, threes, fours], [ones, twos, threes])
    limits = np.array([1.0, 2.0, 3.0])
    return np.where((found > 0) & (found <= limits), found, limits / 2)  # a comparison with nan is false


def _discount_counts(contexts, counts, discounts):
    """Take ``discounts`` ``(3,)`` off the counts and give what is taken to the shorter context (Kneser-Ney).

    Parameters
    ----------
    contexts, counts : numpy.ndarray
        int64 ``(entries,)``: the number of the context of each entry, and how often it was seen. Every context
        from 0 on has an entry.
    discounts : numpy.ndarray
        float64 ``(3,)``: for counts of 1, of 2, and of 3 and more.

    Returns
    -------
    tuple of numpy.ndarray
        ``share`` ``(entries,)`` and ``backoff`` ``(contexts,)``, float64. For every context its shares and its
        backoff weight sum to 1.
    """
    totals = np.bincount(contexts, counts)
    taken = discounts[np.minimum(counts, 3) - 1]
    return (counts - taken) / totals[contexts], np.bincount(contexts, taken) / totals


def _add_to_counts(contexts, counts, added):
    """Add events to every context and give them to the shorter context (Witten-Bell) or to all characters (add-k).

    Parameters and result are those of :func:`_discount_counts`, with ``added`` in place of the discounts: events added
    to each context, one number or ``(contexts,)``.
    """
    totals = np.bincount(contexts, counts) + added  # (contexts,)
    return counts / totals[contexts], added / totals


def _find_keys(keys, numbers, characters, vocab_size):
    """Find the pairs ``numbers * vocab_size + characters`` in sorted ``keys``.

    Returns
    -------
    numpy.ndarray
        int64, of the shape of ``numbers``: the place of each pair, -1 where it is absent or its number is -1.
    """
    wanted = numbers * vocab_size + characters
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where((numbers >= 0) & (keys[places] == wanted), places, -1)
