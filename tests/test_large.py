"""Texts larger than memory: encoded in a stream, mapped, trained on; tried on small pieces."""

import numpy as np
import pytest

from charlm_utils import batching, files, large
from charlm_utils.batching import contiguous_batches
from charlm_utils.evaluation import evaluate
from charlm_utils.models import build_model
from charlm_utils.training import set_seed, train
from charlm_utils.vocabulary import Vocabulary, encode_file, file_vocabulary

TEXT = "zebra, naïve: 日本\nêtre 😀 end\n" * 40


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "text.txt"
    file.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    return file


@pytest.mark.parametrize("piece", [1, 7, 10**6])
def test_a_file_in_pieces_gives_the_ids_of_the_whole_text(path, tmp_path, monkeypatch, piece):
    monkeypatch.setattr(large, "_PIECE", piece)
    vocabulary = file_vocabulary(path)
    ids = encode_file(path, vocabulary, tmp_path / "ids.npy")
    assert vocabulary == Vocabulary.from_text(TEXT)
    assert isinstance(ids, np.memmap)
    assert ids.dtype == np.uint8
    assert not ids.flags.writeable
    assert ids.tolist() == vocabulary.encode(TEXT).tolist()
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


@pytest.mark.parametrize(("data", "message"), [(b"", "is empty"), (b"ab\xff", "is not UTF-8")])
def test_files_that_are_no_text_are_refused(tmp_path, data, message):
    (tmp_path / "text").write_bytes(data)
    with pytest.raises(ValueError, match=message):
        file_vocabulary(tmp_path / "text")
    with pytest.raises(ValueError, match=message):
        encode_file(tmp_path / "text", Vocabulary("ab"), tmp_path / "ids.npy")
    assert [file.name for file in tmp_path.iterdir()] == ["text"]


def test_training_on_the_mapped_ids_is_training_on_the_text(path, tmp_path):
    vocabulary = file_vocabulary(path)
    mapped = encode_file(path, vocabulary, tmp_path / "ids.npy")
    losses = []
    for ids in (mapped, vocabulary.encode(TEXT)):
        set_seed(0)
        model = build_model(len(vocabulary), units=8, embedding_dim=4)
        settings = {"batch_size": 4, "time": 16, "epochs": 2, "progress": False}
        history = train(model, ids[:800], validation_ids=ids[800:], **settings)
        losses.append([history["train"], history["validation"], evaluate(model, ids)])
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
