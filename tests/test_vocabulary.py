import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from charlm_utils import batching, files
from charlm_utils.batching import contiguous_batches
from charlm_utils.evaluation import evaluate
from charlm_utils.models import build_model
from charlm_utils.training import set_seed, train
from charlm_utils.vocabulary import UNKNOWN, Vocabulary, encode_file, file_vocabulary, visible

CHUNK = 32_768  # encode works through the text in pieces of this many characters

TEXTS = {
    "ascii": "banana bread\n\tand 'jam'",
    "greek": "\u039c\u1fc6\u03bd\u03b9\u03bd \u1f04\u03b5\u03b9\u03b4\u03b5, \u03b8\u03b5\u03ac",
    "chinese": "\u5929\u5730\u7384\u9ec4\uff0c\u5b87\u5b99\u6d2a\u8352\u3002",
    "combining marks": "e\u0301 and \u00e9 differ; Z\u0335\u0324\u0301",
    "emoji": "\U0001f996\U0001f469\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f\U0001f1e9\U0001f1ea",
    "right to left": "\u05d1\u05b0\u05bc\u05e8\u05b5\u05d0\u05e9\u05d9\u05ea \u0633\u0644\u0627\u0645 \u200f.",
    "lone surrogates": "a\ud800b\udfffc",
    "extremes": "\x00\U0010ffff\uffff\ufeff\x7f",
}

any_text = st.text(st.characters(codec=None, exclude_categories=()))  # every code point, surrogates included


def naive_ids(vocabulary, text):
    order = {character: i for i, character in enumerate(vocabulary.characters)}
    return [order[character] for character in text]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_any_script_is_encoded_as_int32_and_decoded_again(text):
    vocabulary = Vocabulary.from_text(text)
    ids = vocabulary.encode(text)
    assert ids.dtype == np.int32
    assert ids.shape == (len(text),)
    assert ids.tolist() == naive_ids(vocabulary, text)
    assert vocabulary.decode(ids) == text


@given(any_text.filter(len))
@example("\ud83d\ude00")  # two lone surrogates, not the emoji that they make together in UTF-16
def test_decode_undoes_encode_for_any_text(text):
    vocabulary = Vocabulary.from_text(text)
    ids = vocabulary.encode(text)
    assert ids.tolist() == naive_ids(vocabulary, text)
    assert vocabulary.decode(ids) == text


@given(any_text.filter(len), any_text)
def test_unknown_characters_are_reported_at_the_first_place_or_skipped(known, text):
    vocabulary = Vocabulary.from_text(known)
    kept = "".join(character for character in text if character in set(known))
    assert vocabulary.encode(text, unknown="skip").tolist() == naive_ids(vocabulary, kept)
    if kept == text:
        assert vocabulary.encode(text).tolist() == naive_ids(vocabulary, text)
    else:
        position = next(i for i, character in enumerate(text) if character not in set(known))
        with pytest.raises(ValueError, match=rf"at position {position}\b") as caught:
            vocabulary.encode(text)
        assert f"U+{ord(text[position]):04X}" in str(caught.value)


@given(any_text.filter(len))
def test_from_text_holds_the_distinct_characters_sorted_by_code_point(text):
    vocabulary = Vocabulary.from_text(text)
    assert [ord(character) for character in vocabulary.characters] == sorted({ord(character) for character in text})
    assert len(vocabulary) == len(set(text))


def test_a_given_order_of_characters_is_kept():
    vocabulary = Vocabulary(["z", "\n", "a"])
    assert vocabulary.characters == "z\na"
    assert vocabulary.encode("a\nz").tolist() == [2, 1, 0]
    assert Vocabulary("z\na") == vocabulary != Vocabulary("a\nz")


def test_the_empty_text_gives_no_ids_and_no_ids_the_empty_text():
    vocabulary = Vocabulary("ab")
    assert vocabulary.encode("").shape == (0,)
    assert vocabulary.encode("").dtype == np.int32
    assert vocabulary.decode([]) == vocabulary.decode(vocabulary.encode("")) == ""


@pytest.mark.parametrize("length", [CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
def test_long_texts_are_encoded_whole(length):
    text = ("the quick brown fox \u03b1\U0001f98a" * (length // 20))[:length]
    vocabulary = Vocabulary.from_text(text)
    ids = vocabulary.encode(text)
    assert ids.tolist() == naive_ids(vocabulary, text)
    assert vocabulary.decode(ids) == text


@pytest.mark.parametrize("position", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 70_000])
@pytest.mark.parametrize("character", ["A", "\u00e9", "\u0436", "\U0001f996", "\ud800"])
def test_an_unknown_character_is_named_with_code_point_and_position(position, character):
    vocabulary = Vocabulary.from_text("ac\u0400")  # unknown ones below, between and above the known ones
    text = "a" * position + character + "c" * 10 + character
    with pytest.raises(ValueError) as caught:
        vocabulary.encode(text)
    message = str(caught.value)
    assert repr(character) in message
    assert f"U+{ord(character):04X}" in message
    assert f"position {position}:" in message
    assert 'unknown="skip"' in message


def test_no_other_code_point_of_all_unicode_is_taken_for_a_known_one():
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    assert Vocabulary("b\u03b1a").encode(everything, unknown="skip").tolist() == [2, 0, 1]


def test_skip_drops_unknown_characters_in_every_chunk():
    text = ("ab?" * CHUNK)[: 2 * CHUNK + 7]
    ids = Vocabulary("ba").encode(text, unknown="skip")
    assert ids.dtype == np.int32
    assert Vocabulary("ba").decode(ids) == text.replace("?", "")


def test_replace_reads_unknown_characters_as_the_unknown_symbol_if_there_is_one():
    text = ("ab?" * CHUNK)[: 2 * CHUNK + 7]
    vocabulary = Vocabulary("b" + UNKNOWN + "a")
    ids = vocabulary.encode(text, unknown="replace")
    assert vocabulary.decode(ids) == text.replace("?", UNKNOWN)
    with pytest.raises(ValueError, match=r"unknown character '\?'"):
        Vocabulary("ba").encode(text, unknown="replace")


def test_a_vocabulary_is_extended_behind_its_end_with_new_characters_in_order():
    assert Vocabulary("cab").extended("azbye").characters == "cabeyz"
    assert Vocabulary("cab").extended("").characters == "cab"


@pytest.mark.parametrize("unknown", ["ignore", "", None, True])
def test_unknown_takes_one_of_three_words_even_if_nothing_is_unknown(unknown):
    with pytest.raises(ValueError, match="unknown must be one of error, skip, replace, got ") as caught:
        Vocabulary("ab").encode("ab", unknown=unknown)
    assert repr(unknown) in str(caught.value)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint32, np.int64])
def test_decode_takes_any_integer_type(dtype):
    assert Vocabulary("abc").decode(np.array([2, 0, 1, 2], dtype)) == "cabc"


def test_decode_takes_a_list():
    assert Vocabulary("abc").decode([2, 0]) == "ca"


def test_decode_refuses_what_is_not_a_row_of_ids():
    with pytest.raises(ValueError, match="ids must be between 0 and 2, got 3 at position 1"):
        Vocabulary("abc").decode([0, 3, 1])
    with pytest.raises(ValueError, match="1-D array of integers"):
        Vocabulary("abc").decode([0.0, 1.0])


@pytest.mark.parametrize(
    ("characters", "message"),
    [
        ("", "at least one character"),
        ([], "at least one character"),
        ("abca", "'a' more than once"),
        (["a", "bc"], "one character, got 'bc'"),
        (["a", ""], "one character, got ''"),
        (["a", 3], r"characters must be a string or a list of characters, got \['a', 3\]"),
    ],
)
def test_a_vocabulary_refuses_characters_that_are_none(characters, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary(characters)


def test_from_text_refuses_the_empty_text():
    with pytest.raises(ValueError, match="at least one character"):
        Vocabulary.from_text("")


def test_length_membership_equality_hash_and_repr():
    vocabulary = Vocabulary.from_text("banana")
    assert len(vocabulary) == 3
    assert "n" in vocabulary
    assert "x" not in vocabulary
    assert vocabulary == Vocabulary("abn")
    assert vocabulary != "abn"
    assert len({vocabulary, Vocabulary("abn"), Vocabulary("nab")}) == 2
    assert repr(vocabulary) == "Vocabulary('abn')"


@pytest.mark.parametrize("not_a_character", ["", "ab", "abn"])
def test_only_single_characters_are_members(not_a_character):
    assert not_a_character not in Vocabulary("abn")


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_a_saved_vocabulary_is_json_and_loads_equal(tmp_path, text):
    vocabulary = Vocabulary(sorted(set(text), reverse=True))
    vocabulary.save(tmp_path / "vocabulary.json")
    json.loads((tmp_path / "vocabulary.json").read_text(encoding="utf-8"))
    loaded = Vocabulary.load(tmp_path / "vocabulary.json")
    assert loaded == vocabulary
    np.testing.assert_array_equal(loaded.encode(text), vocabulary.encode(text))
    assert [path.name for path in tmp_path.iterdir()] == ["vocabulary.json"]


@given(characters=any_text.filter(len))
@example(characters="\ud83d\ude00")  # adjacent lone surrogates: json.loads would join them to one emoji
def test_load_undoes_save_for_any_characters(tmp_path_factory, characters):
    path = tmp_path_factory.getbasetemp() / "any-vocabulary.json"
    vocabulary = Vocabulary.from_text(characters)
    vocabulary.save(str(path))
    assert Vocabulary.load(str(path)) == vocabulary


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not JSON",
        b'{"characters": "ab',
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b'{"letters": "ab"}',
        b'{"characters": null}',
        b'{"characters": 5}',
        b'{"characters": ""}',
        b'{"characters": "aba"}',
        b'{"characters": ["a", "bc"]}',
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "vocabulary.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="vocabulary.json is not a saved vocabulary"):
        Vocabulary.load(path)


def test_a_large_vocabulary_with_a_duplicate_is_refused_at_once(tmp_path):
    characters = [chr(i) for i in range(0x10000, 0x40000)]
    (tmp_path / "file").write_text(json.dumps({"characters": [*characters, characters[-1]]}))
    with pytest.raises(ValueError, match="file is not a saved vocabulary: every character must occur once"):
        Vocabulary.load(tmp_path / "file")


@pytest.mark.parametrize(
    ("data", "message"), [("[" * 200_000, "nested too deep"), (" " * 2**24 + "1", "is larger than 16,777,216 bytes")]
)
def test_a_hostile_file_is_no_vocabulary(tmp_path, data, message):
    (tmp_path / "file").write_text(data)
    with pytest.raises(ValueError, match=f"file is not a saved vocabulary: file .*{message}"):
        Vocabulary.load(tmp_path / "file")


def test_a_missing_file_is_reported_as_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="vocabulary.json"):
        Vocabulary.load(tmp_path / "vocabulary.json")


@pytest.mark.parametrize("name", ["ascii", "greek", "chinese", "emoji"])
def test_ids_are_those_of_keras_string_lookup(name):
    text = TEXTS[name]
    vocabulary = Vocabulary.from_text(text)
    lookup = keras.layers.StringLookup(vocabulary=sorted(set(text)), mask_token=None, num_oov_indices=0)
    np.testing.assert_array_equal(lookup(list(text)), vocabulary.encode(text))
    assert lookup.vocabulary_size() == len(vocabulary)


def test_ids_are_the_same_in_processes_that_hash_differently():
    text = "the quick brown fox jumps over the lazy dog, \u03b1\u03b2\U0001f98a"
    program = (
        "from charlm_utils.vocabulary import Vocabulary\n"
        f"text = {ascii(text)}\n"
        "print(hash(text), *Vocabulary.from_text(text).encode(text))"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for seed in ("1", "2")
    ]
    assert outputs[0][0] != outputs[1][0]
    assert outputs[0][1:] == outputs[1][1:] == [str(i) for i in Vocabulary.from_text(text).encode(text)]


# --- texts larger than memory: encoded in a stream, mapped, trained on; tried on small pieces ---

LONG_TEXT = "zebra, naïve: 日本\nêtre 😀 end\n" * 40


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "text.txt"
    file.write_bytes(b"\xef\xbb\xbf" + LONG_TEXT.replace("\n", "\r\n").encode())
    return file


@pytest.mark.parametrize("piece", [1, 7, 10**6])
def test_a_file_in_pieces_gives_the_ids_of_the_whole_text(path, tmp_path, monkeypatch, piece):
    monkeypatch.setattr("charlm_utils.vocabulary._PIECE", piece)
    characters = file_vocabulary(path)
    ids = encode_file(path, characters, tmp_path / "ids.npy")
    assert characters == Vocabulary.from_text(LONG_TEXT)
    assert isinstance(ids, np.memmap)
    assert ids.dtype == np.uint8
    assert not ids.flags.writeable
    assert ids.tolist() == characters.encode(LONG_TEXT).tolist()
    assert np.load(tmp_path / "ids.npy").tolist() == ids.tolist()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["ids.npy", "text.txt"]


@pytest.mark.parametrize(("size", "kind"), [(256, np.uint8), (257, np.uint16), (65537, np.uint32)])
def test_the_ids_take_as_few_bytes_as_they_need(tmp_path, size, kind):
    characters = [chr(0x10000 + i) for i in range(size)]
    (tmp_path / "text").write_text(characters[0] + characters[-1], encoding="utf-8")
    ids = encode_file(tmp_path / "text", Vocabulary(characters), tmp_path / "ids.npy")
    assert ids.dtype == kind
    assert ids.tolist() == [0, size - 1]


def test_a_failure_leaves_the_older_file_and_no_other(path, tmp_path):
    encode_file(path, file_vocabulary(path), tmp_path / "ids.npy")
    before = (tmp_path / "ids.npy").read_bytes()
    with pytest.raises(ValueError, match="unknown character ','"):
        encode_file(path, Vocabulary("zebra"), tmp_path / "ids.npy")
    assert (tmp_path / "ids.npy").read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["ids.npy", "text.txt"]


def test_a_planted_link_is_not_followed(path, tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"not ours")
    for name in ("ids.npy", "ids.npy.part"):
        (tmp_path / name).symlink_to("elsewhere")
    assert len(encode_file(path, file_vocabulary(path), tmp_path / "ids.npy")) == len(LONG_TEXT)
    assert (tmp_path / "elsewhere").read_bytes() == b"not ours"
    assert (tmp_path / "ids.npy.part").is_symlink()


@pytest.mark.parametrize(("data", "message"), [(b"", "is empty"), (b"ab\xff", "is not UTF-8")])
def test_files_that_are_no_text_are_refused(tmp_path, data, message):
    (tmp_path / "text").write_bytes(data)
    with pytest.raises(ValueError, match=message):
        file_vocabulary(tmp_path / "text")
    with pytest.raises(ValueError, match=message):
        encode_file(tmp_path / "text", Vocabulary("ab"), tmp_path / "ids.npy")
    assert [file.name for file in tmp_path.iterdir()] == ["text"]


def test_training_on_the_mapped_ids_is_training_on_the_text(path, tmp_path):
    characters = file_vocabulary(path)
    mapped = encode_file(path, characters, tmp_path / "ids.npy")
    losses = []
    for ids in (mapped, characters.encode(LONG_TEXT)):
        set_seed(0)
        model = build_model(len(characters), cell="rnn", units=4, embedding_dim=3)
        history = train(model, ids[:60], validation_ids=ids[60:90], batch_size=2, time=7, epochs=2, progress=False)
        losses.append([history["train"], history["validation"], evaluate(model, ids[:90])])
    assert losses[0] == losses[1]


def test_pages_are_released_on_the_way(path, tmp_path, monkeypatch):
    ids = encode_file(path, file_vocabulary(path), tmp_path / "ids.npy")
    released = []
    monkeypatch.setattr(batching, "release_pages", released.append)
    monkeypatch.setattr(batching, "_RELEASE_EVERY", 2)
    assert len(list(contiguous_batches(ids, 4, 50))) == 5
    assert len(released) == 3
    monkeypatch.setattr(files, "release_pages", released.append)
    assert [len(piece) for piece in files.iterate_pieces(ids, 500)] == [500, 500, len(ids) - 1000]
    assert len(released) == 6


def test_a_released_array_reads_the_same_again(path, tmp_path):
    ids = encode_file(path, file_vocabulary(path), tmp_path / "ids.npy")
    before, part = ids.tolist(), np.asarray(ids)[10:]
    files.release_pages(part)
    assert ids.tolist() == before
    files.release_pages(np.arange(3))
    files.release_pages(before)


@pytest.mark.parametrize(("character", "stand_in"), [(" ", "\u2423"), ("\n", "\u21b5"), ("\t", "\u21e5"), ("a", "a")])
def test_blanks_get_a_visible_stand_in_and_letters_stay(character, stand_in):
    assert visible(character) == stand_in
