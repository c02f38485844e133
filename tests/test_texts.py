"""Texts of one's own: what is read, what is put between, and what is refused or doubted."""

import io
import os
import re
import sys

import pytest

from charlm_utils import texts
from charlm_utils.texts import OwnText, Part, check_learnable, corpus_as_text, read_texts


@pytest.fixture
def folder(tmp_path):
    """A folder with texts in it and below it."""
    (tmp_path / "below").mkdir()
    (tmp_path / "b.txt").write_bytes(b"\xef\xbb\xbfsecond\r\nfile\r\n\r\n")
    (tmp_path / "a.txt").write_text("first\n")
    (tmp_path / "below" / "c.txt").write_text("third")
    (tmp_path / "below" / "notes.md").write_text("no text")
    return tmp_path


def doubts(own):
    return [doubt for part in own.parts for doubt in part.doubts]


def test_one_file_is_read_as_it_is_but_for_newlines_and_mark(folder):
    own = read_texts([folder / "b.txt"])
    assert own.text == "second\nfile\n\n"
    assert own.name == "b.txt"
    assert own.describe() == f"{folder / 'b.txt'}, 13 characters"
    assert doubts(own) == []


def test_a_folder_stands_for_its_texts_in_the_order_of_their_names_with_a_blank_line_between(folder):
    own = read_texts([folder])
    assert own.text == "first\n\nsecond\nfile\n\nthird"
    assert own.name == "a.txt, b.txt, c.txt"
    assert own.describe() == "3 files, 25 characters, a blank line between two"


def test_files_stay_in_the_order_in_which_they_are_named(folder):
    assert read_texts([folder / "b.txt", str(folder / "a.txt")]).text == "second\nfile\n\nfirst\n"


def test_standard_input_is_read_and_decoded_as_a_file_is(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("caf\u00e9\r\n".encode("latin-1"))))
    own = read_texts(["-"], "latin-1")
    assert (own.text, own.name) == ("caf\u00e9\n", "standard input")


@pytest.mark.parametrize(
    ("position", "place"),
    [
        (0, "a, line 1, column 1"),
        (3, "a, line 2, column 1"),
        (5, "a, line 3, column 1"),  # the blank line between
        (7, "b, line 1, column 2"),
        (9, "b, line 2, column 1"),
    ],
)
def test_a_position_is_traced_back_to_file_line_and_column(position, place):
    own = OwnText([Part("a", "xy\nz\n\n"), Part("b", "uv\nw")])
    assert own.text == "xy\nz\n\nuv\nw"
    assert own.place(position) == place


@pytest.mark.parametrize(
    ("data", "encoding", "message"),
    [
        (b"", "utf-8", "odd.txt is empty"),
        (b"\xef\xbb\xbf", "utf-8", "odd.txt is empty but for a byte-order mark"),
        ("word".encode("utf-16-le"), "utf-8", "odd.txt holds 4 NUL characters, .* encoding=utf-16-le"),
        ("\u00c7a".encode("utf-16-le"), "utf-8", "odd.txt is not UTF-8: .*: it holds NULs as encoding=utf-16-le does"),
        ("word".encode("utf-16"), "utf-8", "odd.txt is not UTF-8: bad byte 0xff .* encoding=utf-16"),
        (
            "caf\u00e9".encode("latin-1"),
            "utf-8",
            "odd.txt is not UTF-8: bad byte 0xe9 at position 3; .* name its encoding",
        ),
        (b"plain words.", "utf-16-le", "encoding=utf-16-le must be that of the file, but .*odd.txt is UTF-8"),
        (b"word", "utf-7000", "encoding must be the name of a text encoding, got 'utf-7000'"),
        (b"word", "rot13", "encoding must be the name of a text encoding, got 'rot13'"),
    ],
)
def test_what_is_surely_no_text_of_the_encoding_is_refused_with_what_to_do(tmp_path, data, encoding, message):
    (tmp_path / "odd.txt").write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_texts([tmp_path / "odd.txt"], encoding)


def test_an_encoding_converts(tmp_path):
    (tmp_path / "odd.txt").write_bytes("W\u00f6rter\r\n".encode("utf-16"))
    own = read_texts([tmp_path / "odd.txt"], "utf-16")
    assert own.text == "W\u00f6rter\n"
    assert doubts(own) == []


@pytest.mark.parametrize(
    ("data", "encoding", "doubt"),
    [
        (
            "a\nb\ufffdc\ufffd".encode(),
            "utf-8",
            "2 replacement characters .*odd.txt, line 2, column 2: .* the original",
        ),
        ("caf\u00e9".encode(), "latin-1", "odd.txt is UTF-8 too, and another text then: encoding=latin-1 may be wrong"),
    ],
)
def test_what_was_probably_decoded_wrongly_is_doubted(tmp_path, data, encoding, doubt):
    (tmp_path / "odd.txt").write_bytes(data)
    (one,) = doubts(read_texts([tmp_path / "odd.txt"], encoding))
    assert re.search(doubt, one)


def test_a_file_that_is_named_twice_is_refused_by_whichever_name(folder):
    (folder / "link.txt").symlink_to(folder / "a.txt")
    for names in ([folder, folder / "a.txt"], [folder / "a.txt", folder / "link.txt"], ["-", "-"]):
        with pytest.raises(ValueError, match="(a.txt|link.txt|standard input) is named twice"):
            read_texts(names)


def test_what_is_no_text_file_is_refused_by_name(tmp_path):
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="empty is a folder without any"):
        read_texts([tmp_path / "empty"])
    with pytest.raises(ValueError, match="pipe is neither a file nor a folder; to read from a pipe, write -"):
        read_texts([tmp_path / "pipe"])
    with pytest.raises(ValueError, match="/dev/zero is neither a file nor a folder"):
        read_texts(["/dev/zero"])
    with pytest.raises(FileNotFoundError, match="there is no file or folder .*missing.txt"):
        read_texts([tmp_path / "missing.txt"])


@pytest.mark.parametrize("names", ["a.txt", [], [3], None, [""]])
def test_what_is_no_list_of_paths_is_refused(names):
    with pytest.raises(ValueError, match="names must be a list of paths, got"):
        read_texts(names)


def test_an_address_is_read_as_a_file_is(folder, serve, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with serve(folder) as address:
        own = read_texts([f"{address}/a.txt", folder / "a.txt"])
        assert own.parts[0].text == own.parts[1].text
        assert own.name == "a.txt, a.txt"
        with pytest.raises(ValueError, match="a.txt is named twice"):
            read_texts([f"{address}/a.txt", f"{address}/a.txt"])
        with pytest.raises(OSError, match="could not read http.*/missing.txt: .*404"):
            read_texts([f"{address}/missing.txt"])


def test_a_file_too_large_is_not_read_to_its_end(folder, monkeypatch):
    monkeypatch.setattr(texts, "LARGEST_FILE", 5)
    with pytest.raises(ValueError, match=r"a.txt is larger than 5 bytes"):
        read_texts([folder / "a.txt"])


def test_a_text_of_one_and_the_same_character_is_not_learned():
    check_learnable("aab", "a.txt")
    with pytest.raises(ValueError, match="a.txt holds only the character 'a': there is nothing to learn"):
        check_learnable("aaa", "a.txt")


def test_a_corpus_of_the_book_is_a_text_too():
    own = corpus_as_text("genera")
    assert (own.name, len(own.text)) == ("genera", 14_612)
