import pytest
import tensorflow as tf

from charlm_utils.scale import current_scale, describe_session, pick


@pytest.mark.parametrize(
    ("value", "expected"), [(None, "reduced"), ("", "reduced"), ("reduced", "reduced"), ("full", "full")]
)
def test_scale_follows_the_environment_and_is_reduced_by_default(monkeypatch, value, expected):
    if value is None:
        monkeypatch.delenv("CHARLM_SCALE", raising=False)
    else:
        monkeypatch.setenv("CHARLM_SCALE", value)
    assert current_scale() == expected
    assert pick(reduced="reduced", full="full") == expected


@pytest.mark.parametrize("value", ["huge", "FULL", " full"])
def test_unknown_scale_is_refused_and_the_known_ones_are_listed(monkeypatch, value):
    monkeypatch.setenv("CHARLM_SCALE", value)
    for call in (current_scale, lambda: pick(reduced=1, full=2), describe_session):
        with pytest.raises(ValueError, match="reduced, full") as caught:
            call()
        assert repr(value) in str(caught.value)


def test_pick_hands_back_the_very_object_even_if_it_is_false(monkeypatch):
    chosen, other = [], [1]
    monkeypatch.setenv("CHARLM_SCALE", "reduced")
    assert pick(reduced=chosen, full=other) is chosen
    monkeypatch.setenv("CHARLM_SCALE", "full")
    assert pick(reduced=other, full=chosen) is chosen


def test_pick_takes_keywords_only():
    with pytest.raises(TypeError):
        pick(1, 2)


@pytest.mark.parametrize(
    ("gpus", "scale", "start", "offers_full"),
    [
        ([], "reduced", "device: CPU, scale: reduced", False),
        (["gpu"], "reduced", "device: GPU, scale: reduced", True),
        (["gpu"], "full", "device: GPU, scale: full", False),
    ],
)
def test_session_line_names_device_and_scale_and_offers_full_on_a_gpu(monkeypatch, gpus, scale, start, offers_full):
    monkeypatch.setenv("CHARLM_SCALE", scale)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, growing: None)
    line = describe_session()
    assert line.startswith(start)
    assert ("CHARLM_SCALE" in line) == offers_full
    assert "\n" not in line


@pytest.mark.parametrize("in_use", [False, True])
def test_session_asks_every_gpu_to_take_memory_as_it_is_needed_unless_it_is_in_use(monkeypatch, in_use):
    asked = []

    def ask(gpu, growing):
        asked.append((gpu, growing))
        if in_use:
            raise RuntimeError("cannot be set after the GPU was initialized")

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["first", "second"])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", ask)
    assert describe_session().startswith("device: GPU")
    assert asked == [("first", True), ("second", True)]
