import contextlib
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from charlm_utils import files
from charlm_utils.files import bundled_data_dir, open_atomically, read_json, write_atomically


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


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0, 0o666)])
def test_the_mode_of_a_written_file_follows_the_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "file", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path):
    (tmp_path / "elsewhere").write_text("not ours")
    (tmp_path / "file").symlink_to("elsewhere")
    write_atomically(tmp_path / "file", "text")
    assert not (tmp_path / "file").is_symlink()
    assert (tmp_path / "elsewhere").read_text() == "not ours"


def test_a_link_planted_under_the_temporary_name_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files.secrets, "token_hex", lambda _: PART.split("-")[1].split(".")[0])
    (tmp_path / "elsewhere").write_text("not ours")
    (tmp_path / PART).symlink_to("elsewhere")
    with pytest.raises(FileExistsError):
        write_atomically(tmp_path / "file", "text")
    assert (tmp_path / "elsewhere").read_text() == "not ours"
    assert names(tmp_path) == [PART, "elsewhere"]


def test_temporary_names_differ(tmp_path, monkeypatch):
    seen = set()
    monkeypatch.setattr(os, "replace", lambda source, target: seen.add(source))
    for _ in range(20):
        write_atomically(tmp_path / "file", "text")
    assert len(seen) == 20
    assert all(path.parent == tmp_path for path in seen)


def test_file_and_folder_reach_the_disk_around_the_rename(tmp_path, monkeypatch):
    order, replace = [], os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: order.append("folder" if is_folder(handle) else "file"))
    monkeypatch.setattr(os, "replace", lambda *paths: order.append("rename") or replace(*paths))
    write_atomically(tmp_path / "file", "text")
    assert order == ["file", "rename", "folder"]


def is_folder(handle):
    return stat.S_ISDIR(os.fstat(handle).st_mode)


def test_a_file_can_be_written_in_pieces_and_changed_before_it_is_whole(tmp_path):
    with open_atomically(tmp_path / "file") as file:
        for _ in range(3):
            file.write(b"piece,")
        file.seek(0)
        file.write(b"P")
        assert not (tmp_path / "file").exists()
    assert (tmp_path / "file").read_text() == "Piece,piece,piece,"


@contextlib.contextmanager
def largest_file(size):
    """Let writing beyond a size fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 1, 5000, 99_999])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, size):
    write_atomically(tmp_path / "file", "old")
    with largest_file(size), pytest.raises(OSError):
        write_atomically(tmp_path / "file", "new!" * 25_000)
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_disk_without_space_is_noticed(tmp_path):
    files.check_space(tmp_path, 1)
    with pytest.raises(OSError, match=f"{tmp_path} needs 1,000,000,000,000,000,000 bytes more on its disk, which has "):
        files.check_space(tmp_path, 10**18)


# what killed processes leave

PART = ".charlm-0123456789abcdef.part"


def test_what_a_dead_process_was_writing_is_removed(tmp_path):
    (tmp_path / PART).write_bytes(b"half")
    files.remove_leftovers(tmp_path)
    assert names(tmp_path) == []


def test_what_a_living_process_writes_stays(tmp_path, monkeypatch):
    seen, replace = [], os.replace

    def clean():
        files.remove_leftovers(tmp_path)
        seen.extend(names(tmp_path))

    monkeypatch.setattr(os, "replace", lambda *paths: (clean(), replace(*paths)))
    with open_atomically(tmp_path / "file") as file:
        file.write(b"text")
        file.flush()
        clean()
    assert len(seen) == 2, "while it is written, and when it is to be renamed"
    assert (tmp_path / "file").read_text() == "text"


@pytest.mark.parametrize("moment", ["removed before it is locked", "locked to be removed"])
def test_a_file_that_was_taken_for_a_leftover_before_it_was_locked_is_made_anew(tmp_path, monkeypatch, moment):
    lock, refused = files._lock, []

    def take(handle):
        monkeypatch.setattr(files, "_lock", lock)
        refused.append(names(tmp_path))
        (part,) = tmp_path.iterdir()
        part.unlink()
        if moment == "locked to be removed":
            raise BlockingIOError
        lock(handle)

    monkeypatch.setattr(files, "_lock", take)
    write_atomically(tmp_path / "file", "text")
    assert len(refused) == 1
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "text"


def test_nothing_else_is_removed(tmp_path):
    kept = ["checkpoint.npz.part", ".charlm-0123456789abcde.part", ".charlm-0123456789abcdef.partly", "a" + PART]
    for name in kept:
        (tmp_path / name).write_text("not ours")
    (tmp_path / "elsewhere").write_text("not ours")
    (tmp_path / PART).symlink_to(tmp_path / "elsewhere")
    (tmp_path / PART.replace("0", "f")).mkdir()
    before = names(tmp_path)
    files.remove_leftovers(tmp_path)
    assert names(tmp_path) == before


def test_a_folder_that_is_not_there_has_no_leftovers(tmp_path):
    files.remove_leftovers(tmp_path / "missing")


# claims


def test_a_claimed_folder_is_claimed_once_and_then_free_again(tmp_path):
    for _ in range(2):
        with files.claimed(tmp_path), pytest.raises(BlockingIOError):
            files.claimed(tmp_path).__enter__()
    assert names(tmp_path) == []


def test_a_claim_dies_with_its_process(tmp_path):
    code = (
        "import sys, time\nfrom charlm_utils.files import claimed\n"
        "with claimed(sys.argv[1]):\n print('claimed', flush=True)\n time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"claimed\n"
        with pytest.raises(BlockingIOError):
            files.claimed(tmp_path).__enter__()
        process.kill()
    with files.claimed(tmp_path):
        pass


def test_without_locks_files_are_written_and_nothing_is_claimed(tmp_path, monkeypatch):
    def refuse(handle, operation):
        raise OSError("not supported here")

    for system in (None, SimpleNamespace(flock=refuse, LOCK_EX=1, LOCK_NB=2)):
        monkeypatch.setattr(files, "fcntl", system)
        with files.claimed(tmp_path), files.claimed(tmp_path):
            write_atomically(tmp_path / "file", "text")
    (tmp_path / PART).write_bytes(b"half")
    files.remove_leftovers(tmp_path)
    assert names(tmp_path) == [PART, "file"], "whoever writes it may be alive"


# JSON from anywhere


def test_json_is_read(tmp_path):
    write_atomically(tmp_path / "file", '{"a": [1, "\u03b1"]}')
    assert read_json(str(tmp_path / "file"), 100) == {"a": [1, "\u03b1"]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[" * 200_000, "file is nested too deep"),
        (b'{"a":' * 200_000, "file is nested too deep"),
        (b" " * 2**22 + b"1", "file is larger than 4,194,304 bytes"),
        (b"[" + b"{}," * 2**20 + b"1]", "file holds more than 1,000,000 lists"),
        (b"NaN", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"9" * 5000, "digits"),
        (b"\xff", "invalid start byte"),
        (b"", "Expecting value"),
    ],
)
def test_json_that_cannot_be_ours_is_refused_in_one_line(tmp_path, data, message):
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(ValueError, match=message) as caught:
        read_json(tmp_path / "file", 2**22)
    assert "\n" not in str(caught.value)


def test_json_is_read_from_files_only(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    for name in ("pipe", "device", "."):
        with pytest.raises(ValueError, match="is not a regular file"):
            read_json(tmp_path / name, 100)
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "missing", 100)


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
