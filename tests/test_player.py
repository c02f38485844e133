import html
import json

import numpy as np
import pytest
import tensorflow as tf
from bs4 import BeautifulSoup

from charlm_utils.models import build_model
from charlm_utils.player import play
from charlm_utils.sampling import generate
from charlm_utils.training import set_seed
from charlm_utils.vocabulary import Vocabulary

VOCABULARY = Vocabulary("\n <&abc")


@pytest.fixture(scope="module")
def model():
    set_seed(0)
    return build_model(len(VOCABULARY), units=6, embedding_dim=4)


def test_player_shows_the_text_that_generate_writes(model):
    player = play(model, VOCABULARY, "ab", 9, seed=3, temperature=0.5)
    assert player.text == repr(player) == generate(model, VOCABULARY, "ab", 9, seed=3, temperature=0.5)


def test_every_step_holds_the_likeliest_characters_and_their_probabilities(model):
    player = play(model, VOCABULARY, "ab", 4, seed=3, most=3)
    logits = model(VOCABULARY.encode(player.text)[None, :-1])[0, 1:]  # (4, vocab): the steps after the prime
    probabilities = tf.nn.softmax(logits).numpy()
    stand_ins = "\u21b5\u2423<&abc"
    for (drawn, choices), row, character in zip(player.steps, probabilities, player.text[2:], strict=True):
        assert drawn == stand_ins[VOCABULARY.encode(character)[0]]
        order = np.argsort(-row)[:3]
        assert [name for name, _ in choices] == [stand_ins[i] for i in order]
        assert [p for _, p in choices] == pytest.approx(row[order], abs=0.0051)


def test_page_holds_the_text_and_the_steps_unharmed(model):
    player = play(model, VOCABULARY, "a<&b", 30, seed=1)
    page = BeautifulSoup(player._repr_html_(), "html.parser")
    assert page.pre.get_text() == "\n" + player.text  # a browser drops this first newline
    steps = json.loads(page.div["data-steps"])
    assert steps == json.loads(json.dumps(player.steps))
    assert int(page.div["data-prime"]) == 4
    assert html.escape("a<&b") in player._repr_html_()


def test_more_choices_than_characters_are_not_asked_for(model):
    assert all(len(choices) == len(VOCABULARY) for _, choices in play(model, VOCABULARY, "a", 2, most=99).steps)


def test_a_stop_ends_the_steps_with_the_text(model):
    whole = play(model, VOCABULARY, "ab", 30, seed=3, temperature=2.0)
    character = whole.text[6]
    short = play(model, VOCABULARY, "ab", 30, seed=3, temperature=2.0, stop=character)
    written = whole.text.index(character, 2) + 1 - 2
    assert short.text == whole.text[: written + 2]
    assert short.steps == whole.steps[:written]


def test_one_text_is_played(model):
    with pytest.raises(ValueError, match="num_samples must be None, since one text is played, got 2"):
        play(model, VOCABULARY, "ab", 3, num_samples=2)
