import os
from pathlib import Path

import pytest

from charlm_utils import files
from charlm_utils.files import bundled_data_dir, write_atomically


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def package_at(folder, monkeypatch):
    """Let the module believe that it lies in ``folder``."""
    folder.mkdir()
    monkeypatch.setattr(files, "__file__", str(folder / "files.py"))
    return folder


def data_at(folder):
    folder.mkdir()
    (folder / "README.md").write_text("data")
    return folder


def test_bundled_data_dir_holds_the_bundled_texts():
    assert {"play.txt", "story.txt", "genera.txt", "README.md"} <= set(names(bundled_data_dir()))


def test_bundled_data_is_found_beside_the_package_in_a_checkout(tmp_path, monkeypatch):
    package_at(tmp_path / "package", monkeypatch)
    beside = data_at(tmp_path / "data")
    assert bundled_data_dir() == beside


def test_bundled_data_inside_the_package_is_preferred(tmp_path, monkeypatch):
    package = package_at(tmp_path / "package", monkeypatch)
    data_at(tmp_path / "data")
    inside = data_at(package / "data")
    assert bundled_data_dir() == inside


def test_missing_bundled_data_is_an_error_that_says_where_it_looked(tmp_path, monkeypatch):
    package = package_at(tmp_path / "package", monkeypatch)
    (tmp_path / "data").mkdir()  # a folder of that name, but not the book's
    with pytest.raises(FileNotFoundError) as caught:
        bundled_data_dir()
    assert str(package) in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x00\xff\r\n", b"\x00\xff\r\n"),
        ("a\n\u03b2\n\U0001f996", "a\n\u03b2\n\U0001f996".encode()),
        ("a\r\nb\n", b"a\r\nb\n"),
        ("", b""),
    ],
)
def test_write_atomically_writes_bytes_as_they_are_and_strings_as_utf8(tmp_path, data, expected):
    write_atomically(tmp_path / "file", data)
    assert (tmp_path / "file").read_bytes() == expected
    assert names(tmp_path) == ["file"]


def test_write_atomically_makes_folders_and_takes_a_str_path(tmp_path):
    write_atomically(str(tmp_path / "a" / "b" / "file"), "text")
    assert (tmp_path / "a" / "b" / "file").read_text() == "text"


def test_write_atomically_replaces_what_was_there(tmp_path):
    write_atomically(tmp_path / "file", "a long first text")
    write_atomically(tmp_path / "file", "short")
    assert (tmp_path / "file").read_text() == "short"
    assert names(tmp_path) == ["file"]


def test_written_file_can_be_read_by_others(tmp_path):
    write_atomically(tmp_path / "file", "text")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_the_old_file_stands_whole_until_the_new_one_is_whole(tmp_path, monkeypatch):
    seen, replace = {}, os.replace

    def watched(source, target):
        seen.update(new=Path(source).read_bytes(), old=Path(target).read_bytes())
        replace(source, target)

    write_atomically(tmp_path / "file", "old")
    monkeypatch.setattr(os, "replace", watched)
    write_atomically(tmp_path / "file", "new" * 10_000)
    assert seen == {"old": b"old", "new": b"new" * 10_000}
    assert (tmp_path / "file").read_text() == "new" * 10_000


@pytest.mark.parametrize("stop", [OSError("disk full"), KeyboardInterrupt()])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, stop):
    def fail(source, target):
        raise stop

    write_atomically(tmp_path / "file", "old")
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(type(stop)):
        write_atomically(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_folder_in_the_way_is_an_error_that_leaves_nothing(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError):
        write_atomically(tmp_path / "file", "text")
    assert names(tmp_path) == ["file"]


def test_a_string_that_utf8_cannot_hold_is_refused_before_anything_is_written(tmp_path):
    write_atomically(tmp_path / "file", "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(tmp_path / "file", "lone \ud800 surrogate")
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]
