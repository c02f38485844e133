"""The small package behind the book: one interface for texts, batches, models, training and sampling.

Import the modules you need, as the chapters do::

    from charlm_utils.corpora import load_corpus
    from charlm_utils.vocabulary import Vocabulary
"""

__version__ = "0.1.0"
