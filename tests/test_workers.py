"""Processes that are started together: what they get to know, what they print, and what happens when one fails."""

import json

import pytest

from charlm_utils.workers import cluster_settings, run_workers

WHO = "import json, os\nprint(json.loads(os.environ['TF_CONFIG'])['task']['index'])\n"


def test_every_worker_knows_all_addresses_and_its_own_number():
    settings = [json.loads(one) for one in cluster_settings(3)]
    assert [one["task"] for one in settings] == [{"type": "worker", "index": number} for number in range(3)]
    addresses = settings[0]["cluster"]["worker"]
    assert len(set(addresses)) == 3
    assert all(one["cluster"]["worker"] == addresses for one in settings)
    assert all(address.startswith("127.0.0.1:") for address in addresses)


def test_workers_print_one_after_the_other(tmp_path):
    script = tmp_path / "who.py"
    script.write_text(WHO)
    assert run_workers(script, 2) == ["0\n", "1\n"]


def test_where_one_fails_the_others_are_ended_and_its_words_are_shown(tmp_path):
    script = tmp_path / "fail.py"
    script.write_text(WHO + "import time\nif '\"index\": 1' in os.environ['TF_CONFIG']: raise OSError('no luck')\n")
    script.write_text(script.read_text() + "time.sleep(60)\n")
    with pytest.raises(RuntimeError, match="(?s)worker 1 of 2 ended with status 1.*no luck"):
        run_workers(script, 2)


def test_where_the_time_is_up_all_are_ended(tmp_path):
    script = tmp_path / "sleep.py"
    script.write_text("import time\ntime.sleep(60)\n")
    with pytest.raises(RuntimeError, match="worker 0 of 1 ended with status -9 or was late"):
        run_workers(script, 1, seconds=0.2)


def test_a_missing_script_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="script must be a file, got .*none.py"):
        run_workers(tmp_path / "none.py")
