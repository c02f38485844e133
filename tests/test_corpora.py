import gzip
import hashlib
import os
import re
import socket
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm_utils.corpora import (
    CORPORA,
    Corpus,
    clean_lines,
    list_corpora,
    load_corpus,
    read_text,
    reduce_alphabet,
    split_corpus,
)
from charlm_utils.files import bundled_data_dir

BUNDLED = ["play", "story", "genera", "lighthouse", "teahouse", "tunes"]
REAL = ["shakespeare", "anna", "warpeace", "dinos"]
TEXT = "First line\n\n  \u0391\u03bd\u03ae\u03c1 and a mammoth \U0001f9a3\n" * 40


def contents(folder):
    """Return everything below a folder: every path, with the bytes of the files."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


def register(monkeypatch, text=TEXT, url="http://127.0.0.1:9/tiny.txt"):
    digest = hashlib.sha256(text.encode()).hexdigest()
    monkeypatch.setitem(CORPORA, "tiny", Corpus("A tiny corpus", "tiny.txt", len(text), digest, url))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.requests.append(self.path)
        self.send_response(server.status)
        self.send_header("Content-Length", str(len(server.body) if server.announced is None else server.announced))
        self.end_headers()
        self.wfile.write(server.body[:100])
        self.wfile.flush()
        server.seen_on_the_way.append(sorted(path.name for path in server.folder.iterdir()))
        self.wfile.write(server.body[100:])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A real server on this machine for the corpus ``tiny``; a test sets what it answers."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.status, server.body, server.announced = 200, TEXT.encode(), None
    server.requests, server.seen_on_the_way, server.folder = [], [], tmp_path
    server.url = f"http://127.0.0.1:{server.server_port}/tiny.txt"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    register(monkeypatch, url=server.url)
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


# what is known of each corpus


def test_list_corpora_names_the_bundled_and_the_real_ones():
    assert list_corpora() == BUNDLED + REAL


def test_list_corpora_gives_a_list_of_ones_own():
    list_corpora().clear()
    assert list_corpora() == BUNDLED + REAL


@pytest.mark.parametrize("name", BUNDLED + REAL)
def test_every_corpus_is_registered_with_title_file_size_and_hash(name):
    corpus = CORPORA[name]
    assert corpus.title
    assert corpus.file == Path(corpus.file).name
    assert corpus.characters > 0
    assert re.fullmatch("[0-9a-f]{64}", corpus.sha256)


def test_no_two_corpora_share_a_file_or_a_hash():
    assert len({corpus.file for corpus in CORPORA.values()}) == len(CORPORA)
    assert len({corpus.sha256 for corpus in CORPORA.values()}) == len(CORPORA)


def test_only_the_real_corpora_have_an_address_and_it_is_https():
    assert [name for name, corpus in CORPORA.items() if corpus.url] == REAL
    assert all(CORPORA[name].url.startswith("https://") for name in REAL)


# loading


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_corpora_verify_without_a_folder_or_a_network(name, monkeypatch):
    monkeypatch.setenv("CHARLM_DATA_DIR", "/no/such/folder")
    text = load_corpus(name)
    assert len(text) == CORPORA[name].characters
    assert hashlib.sha256(text.encode()).hexdigest() == CORPORA[name].sha256
    assert "\r" not in text
    assert not text.startswith("\ufeff")


@pytest.mark.parametrize("name", ["Play", "", "nonsense"])
def test_an_unknown_corpus_lists_the_known_ones(name):
    with pytest.raises(ValueError, match=f"unknown corpus {name!r}") as caught:
        load_corpus(name)
    assert all(known in str(caught.value) for known in BUNDLED + REAL)


def test_a_corpus_in_the_folder_is_read_and_nothing_is_downloaded(server, tmp_path):
    (tmp_path / "tiny.txt").write_bytes(TEXT.encode())
    assert load_corpus("tiny", tmp_path) == load_corpus("tiny", str(tmp_path)) == TEXT
    assert server.requests == []


def test_the_folder_comes_from_the_environment_unless_one_is_given(server, tmp_path, monkeypatch):
    for name in ("environment", "argument"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("CHARLM_DATA_DIR", str(tmp_path / "environment"))
    load_corpus("tiny", tmp_path / "argument")
    assert set(contents(tmp_path)) == {"environment", "argument", "argument/tiny.txt"}
    load_corpus("tiny")
    assert "environment/tiny.txt" in contents(tmp_path)


@pytest.mark.parametrize(
    ("variable", "made"), [("XDG_CACHE_HOME", "charlm-utils/tiny.txt"), ("HOME", ".cache/charlm-utils/tiny.txt")]
)
def test_without_a_folder_the_corpus_goes_to_the_cache_of_the_user(server, tmp_path, monkeypatch, variable, made):
    for name in ("CHARLM_DATA_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    assert load_corpus("tiny") == TEXT
    assert contents(tmp_path)[made] == TEXT.encode()


def test_a_missing_folder_is_reported_by_name_and_not_made(server, tmp_path, monkeypatch):
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError, match="does not exist.*CHARLM_DATA_DIR") as caught:
        load_corpus("tiny", missing)
    assert str(missing) in str(caught.value)
    monkeypatch.setenv("CHARLM_DATA_DIR", str(missing))
    with pytest.raises(FileNotFoundError, match="does not exist.*CHARLM_DATA_DIR"):
        load_corpus("tiny")
    assert contents(tmp_path) == {}
    assert server.requests == []


def test_a_wrong_text_in_the_folder_is_refused_and_stays_for_its_owner_to_delete(server, tmp_path):
    (tmp_path / "tiny.txt").write_text("something else")
    with pytest.raises(ValueError, match="not the registered corpus") as caught:
        load_corpus("tiny", tmp_path)
    assert str(tmp_path / "tiny.txt") in str(caught.value)
    assert "delete the file" in str(caught.value)
    assert contents(tmp_path) == {"tiny.txt": b"something else"}
    assert server.requests == []


def test_one_changed_letter_is_noticed_and_both_sizes_are_named(monkeypatch, tmp_path):
    register(monkeypatch)
    (tmp_path / "tiny.txt").write_bytes(TEXT.replace("mammoth", "mammotH", 1).encode())
    with pytest.raises(ValueError, match=rf"{len(TEXT):,} characters.*expected {len(TEXT):,}"):
        load_corpus("tiny", tmp_path)


# downloading


def test_a_download_is_kept_in_the_folder_and_not_repeated(server, tmp_path, monkeypatch):
    monkeypatch.setenv("CHARLM_DATA_DIR", str(tmp_path))
    assert load_corpus("tiny") == load_corpus("tiny") == TEXT
    assert contents(tmp_path) == {"tiny.txt": TEXT.encode()}
    assert server.requests == ["/tiny.txt"]


def test_a_download_goes_to_a_temporary_name_until_it_is_complete(server, tmp_path):
    load_corpus("tiny", tmp_path)
    (names,) = server.seen_on_the_way
    assert "tiny.txt" not in names
    assert contents(tmp_path) == {"tiny.txt": TEXT.encode()}


def test_a_download_is_written_normalized(server, tmp_path):
    server.body = b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode()
    assert load_corpus("tiny", tmp_path) == TEXT
    assert contents(tmp_path) == {"tiny.txt": TEXT.encode()}


def failing_download(tmp_path, error):
    """Try to load from a folder with another file in it; return the message when nothing has changed there."""
    (tmp_path / "other.txt").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(error) as caught:
        load_corpus("tiny", tmp_path)
    assert contents(tmp_path) == before
    return str(caught.value)


def test_a_truncated_download_is_refused_and_leaves_nothing_behind(server, tmp_path):
    server.announced = len(server.body) + 1000
    message = failing_download(tmp_path, OSError)
    assert server.url in message
    assert f"got only {len(server.body)} out of {server.announced} bytes" in message
    assert "try again" in message
    assert str(tmp_path / "tiny.txt") in message  # where to put the file by hand


def test_an_altered_download_is_refused_and_leaves_nothing_behind(server, tmp_path):
    server.body = TEXT.replace("mammoth", "elephant").encode()
    message = failing_download(tmp_path, ValueError)
    assert "not the registered corpus" in message
    assert CORPORA["tiny"].sha256[:12] in message
    assert server.url in message
    assert "nothing was kept, try again" in message


def test_an_error_page_instead_of_the_text_is_refused_and_leaves_nothing_behind(server, tmp_path):
    server.body = b"<html>Please log in to this network: caf\xe9</html>"
    message = failing_download(tmp_path, ValueError)
    assert "not UTF-8" in message


def test_a_missing_page_is_reported_and_leaves_nothing_behind(server, tmp_path):
    server.status = 404
    message = failing_download(tmp_path, OSError)
    assert "404" in message
    assert server.url in message
    assert "try again" in message
    assert str(tmp_path / "tiny.txt") in message


def test_a_server_that_is_gone_is_reported_and_leaves_nothing_behind(tmp_path, monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/tiny.txt"
    register(monkeypatch, url=url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    message = failing_download(tmp_path, OSError)
    assert "refused" in message
    assert url in message
    assert "Check the connection and try again" in message


def test_a_download_larger_than_the_corpus_is_refused_and_leaves_nothing_behind(server, tmp_path):
    server.body = b"x" * (4 * len(TEXT) + 4)
    message = failing_download(tmp_path, OSError)
    assert f"the server sends more than {4 * len(TEXT) + 3:,} bytes" in message


def test_what_a_killed_process_was_downloading_is_removed(server, tmp_path):
    part = tmp_path / ".charlm-0123456789abcdef.part"
    part.write_bytes(b"half")
    os.utime(part, (1e9, 1e9))
    load_corpus("tiny", tmp_path)
    assert contents(tmp_path) == {"tiny.txt": TEXT.encode()}


def test_a_failed_download_can_be_repeated(server, tmp_path):
    server.announced = len(server.body) + 1
    with pytest.raises(OSError):
        load_corpus("tiny", tmp_path)
    server.announced = None
    assert load_corpus("tiny", tmp_path) == TEXT


# reading


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["no mark", "mark"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_newlines_and_byte_order_mark_do_not_change_the_text(tmp_path, monkeypatch, mark, newline):
    register(monkeypatch)
    (tmp_path / "tiny.txt").write_bytes(mark + TEXT.replace("\n", newline).encode())
    assert read_text(tmp_path / "tiny.txt") == TEXT
    assert load_corpus("tiny", tmp_path) == TEXT


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a\r\n\r\nb\rc\n\rd", "a\n\nb\nc\n\nd"),
        (b"\xef\xbb\xbf\xef\xbb\xbfa\xef\xbb\xbf", "\ufeffa\ufeff"),  # one mark, at the very beginning
        ("a\x0bb\x0cc\x85d\u2028e".encode(), "a\x0bb\x0cc\x85d\u2028e"),  # no newlines
        (b"  \t a \n\n", "  \t a \n\n"),
        (b"", ""),
    ],
)
def test_read_text_changes_nothing_but_newlines_and_the_mark(tmp_path, data, text):
    (tmp_path / "file").write_bytes(data)
    assert read_text(str(tmp_path / "file")) == text


@pytest.mark.parametrize(
    ("data", "byte", "position"),
    [
        (b"caf\xe9 au lait \xe9", "0xe9", 3),
        ("\u03b1\u03b2".encode() + b"\xff", "0xff", 4),  # counted in bytes
        (b"\xef\xbb\xbfa\x80", "0x80", 4),
        (b"abc\xc3", "0xc3", 3),
        (b"\xed\xa0\x80", "0xed", 0),
        ("text".encode("utf-16"), "0xff", 0),
    ],
)
def test_a_file_that_is_not_utf8_is_refused_with_the_position_of_the_first_bad_byte(tmp_path, data, byte, position):
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(ValueError, match=rf"not UTF-8: bad byte {byte} at position {position};") as caught:
        read_text(tmp_path / "file")
    assert str(tmp_path / "file") in str(caught.value)
    assert "convert the file to UTF-8" in str(caught.value)


def test_a_missing_text_file_is_reported_as_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.txt"):
        read_text(tmp_path / "nothing.txt")


# splitting


@given(st.integers(80, 5000), st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_the_parts_of_a_split_are_contiguous_and_complete(length, weights):
    text = "".join(map(chr, range(length)))
    fractions = tuple(weight / sum(weights) for weight in weights)
    parts = split_corpus(text, fractions)
    assert "".join(parts) == text
    for part, fraction in zip(parts, fractions, strict=True):
        assert abs(len(part) - fraction * len(text)) < 1.001


def test_the_default_split_is_that_of_nanogpt():
    ids = np.arange(1_115_394)
    train, held_out = split_corpus(ids)
    assert (len(train), len(held_out)) == (1_003_854, 111_540)
    assert train[0] == 0
    assert held_out[0] == train[-1] + 1


@pytest.mark.parametrize(
    ("fractions", "sizes"),
    [((0.7, 0.2, 0.1), [70, 20, 10]), ((0.29, 0.71), [29, 71]), ((0.8, 0.1, 0.1), [80, 10, 10]), ((1.0,), [100])],
)
def test_shares_that_come_out_even_are_met_exactly(fractions, sizes):
    assert [len(part) for part in split_corpus("x" * 100, fractions)] == sizes


@pytest.mark.parametrize("fractions", [(0.9, 0.2), (0.5, 0.4), (1.1, -0.1), (1.0, 0.0)])
def test_fractions_must_be_positive_and_sum_to_one(fractions):
    with pytest.raises(ValueError, match="positive and sum to 1, got") as caught:
        split_corpus("x" * 100, fractions)
    assert str(fractions) in str(caught.value)


def test_a_text_too_short_to_train_on_is_refused_with_need_and_stock():
    assert len(split_corpus("x" * 112, (0.9, 0.1), batch_size=4, time=24)[0]) == 100
    with pytest.raises(ValueError, match="at least 97 characters.*but has 96 .*the whole text has 107") as caught:
        split_corpus("x" * 107, (0.9, 0.1), batch_size=4, time=24)
    assert "batch_size=4 and time=24" in str(caught.value)


@pytest.mark.parametrize("length", [1, 10])
def test_a_text_too_short_to_validate_on_is_refused(length):
    with pytest.raises(ValueError, match=f"at least 2 characters.*the whole text has {length}"):
        split_corpus("x" * length)


@pytest.mark.parametrize("name", ["batch_size", "time"])
def test_the_batch_shape_must_be_at_least_1(name):
    with pytest.raises(ValueError, match=f"{name} must be an integer of at least 1, got 0"):
        split_corpus("x" * 100, **{name: 0})


def test_the_empty_text_cannot_be_split():
    with pytest.raises(ValueError, match="but has 0"):
        split_corpus("")


# cleaning


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\n\n\nb", "a\nb"),
        ("  a b  \n\t\n   \n c\n", "a b\nc"),
        ("a\tb\t\t", "ab"),
        (" \t \n", ""),
        ("", ""),
    ],
)
def test_clean_lines_removes_tabs_outer_blanks_and_empty_lines(text, cleaned):
    assert clean_lines(text) == cleaned


@given(st.text("ab \t\n\u3000"))
def test_clean_lines_keeps_every_letter_in_order_and_has_nothing_left_to_do(text):
    cleaned = clean_lines(text)
    assert re.sub(r"\s", "", cleaned) == re.sub(r"\s", "", text)
    assert clean_lines(cleaned) == cleaned
    assert "\t" not in cleaned
    assert all(line == line.strip() != "" for line in cleaned.split("\n") if cleaned)


def test_reduce_alphabet_lowers_letters_and_blanks_all_but_the_kept_symbols():
    text = "KING:\nHello, World? It's 3-fold; 'tis $5 & caf\u00e9!\t"
    assert reduce_alphabet(text) == "king:\nhello, world? it's  -fold; 'tis      caf ! "


@given(st.text(st.characters(max_codepoint=127)))
def test_a_reduced_text_has_at_most_36_symbols_and_its_old_length(text):
    reduced = reduce_alphabet(text)
    assert set(reduced) <= set("abcdefghijklmnopqrstuvwxyz,.?! \n:;-'")
    assert len(reduced) == len(text)
    assert reduce_alphabet(reduced) == reduced


@pytest.mark.parametrize("keep", ["", "]", "^", "\\", "a-z", "-0", "[^]\\-"])
def test_reduce_alphabet_keeps_exactly_the_symbols_it_is_given(keep):
    symbols = "]^\\-[0_\u00e4!"
    expected = "".join(symbol if symbol in keep else " " for symbol in symbols)
    assert reduce_alphabet(symbols, keep) == expected


# the quality of the bundled texts


def test_the_bundled_texts_are_long_enough():
    assert len(load_corpus("play")) >= 90_000
    assert len(load_corpus("story")) >= 70_000
    assert len(load_corpus("genera").split()) >= 600


@pytest.mark.parametrize("name", ["play", "story"])
def test_no_long_line_of_a_bundled_text_repeats(name):
    lines = Counter(line for line in load_corpus(name).split("\n") if len(line) > 40)
    assert len(lines) > 500
    assert [line for line, count in lines.items() if count > 1] == []


@pytest.mark.parametrize("name", ["play", "story"])
def test_the_bundled_prose_is_not_made_of_repetitions(name):
    data = load_corpus(name).encode()
    assert len(gzip.compress(data, 9)) / len(data) >= 0.36


@pytest.mark.parametrize("name", ["lighthouse", "teahouse", "tunes"])
def test_the_short_texts_are_not_made_of_repetitions(name):
    text = load_corpus(name)
    assert 16_000 <= len(text) <= 21_000
    lines = Counter(line for line in text.split("\n") if len(line) > 60)
    assert [line for line, count in lines.items() if count > 1] == []
    assert len(gzip.compress(text.encode(), 9)) / len(text.encode()) >= 0.22


def test_every_bar_of_a_tune_is_as_long_as_its_meter_says():
    eighths = {"6/8": 6, "4/4": 8, "3/4": 6}
    bars = 0
    for tune in load_corpus("tunes").split("\n\n"):
        fields = dict(line.split(":", 1) for line in tune.split("\n") if re.match("[A-Z]:", line))
        music = "".join(line for line in tune.split("\n") if line and not re.match("[A-Z]:", line))
        for bar in re.split(r"[|:]+", music.strip("|:")):
            length = sum(int(number or 1) for number in re.findall("[A-Ga-g]([0-9]?)", bar))
            assert length == eighths[fields["M"]], (fields["T"], bar)
            bars += 1
    assert bars > 1000


def test_genera_are_capitalized_ascii_words_one_per_line_without_duplicates():
    genera = load_corpus("genera").removesuffix("\n").split("\n")
    assert [name for name in genera if not re.fullmatch("[A-Z][a-z]+", name)] == []
    assert len(set(genera)) == len(genera)


@pytest.mark.parametrize("name", BUNDLED)
def test_the_readme_of_the_data_gives_the_hash_of_each_file(name):
    digest = hashlib.sha256((bundled_data_dir() / CORPORA[name].file).read_bytes()).hexdigest()
    readme = (bundled_data_dir() / "README.md").read_text(encoding="utf-8")
    assert digest in readme
    assert CORPORA[name].file in readme
