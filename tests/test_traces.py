"""What the profiler recorded, as the package reads it."""

import pytest
import tensorflow as tf

from charlm_utils.traces import NAME, record_operations


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("model/gru/while/MatMul_1:MatMul", "MatMul"),
        ("MatMul:_MklMatMul", "MatMul"),
        ("a/b:_MklNativeFusedMatMul", "MatMul"),
        ("a/b:_FusedMatMul", "MatMul"),
        ("Mul:Mul", "Mul"),
    ],
)
def test_operations_are_known_by_their_names_whatever_kernel_ran(name, kind):
    assert NAME.fullmatch(name)["kind"] == kind


@pytest.mark.parametrize("name", ["ExecutorState::Process", "MatMul", "file.py:12 function", "a:b"])
def test_other_events_are_no_operations(name):
    assert not NAME.fullmatch(name)


@pytest.mark.slow
def test_operations_of_a_graph_are_recorded_in_order_from_zero():
    function = tf.function(lambda x: tf.cumsum(tf.matmul(tf.matmul(x, x), x)))
    x = tf.ones((64, 64))
    function(x)
    operations = record_operations(lambda: function(x).numpy())
    kinds = [operation.kind for operation in operations if operation.kind in ("MatMul", "Cumsum")]
    assert kinds == ["MatMul", "MatMul", "Cumsum"]
    starts = [operation.start for operation in operations]
    assert starts == sorted(starts)
    assert starts[0] == 0
    assert all(operation.milliseconds > 0 for operation in operations)
    assert min(operation.thread for operation in operations) == 0
