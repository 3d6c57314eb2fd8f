"""Work spread over threads: all of it is done, once, and nothing is left behind."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from minitransformers.core import ops, threads
from minitransformers.core.blocks import elementwise, over_blocks


@pytest.fixture
def two_threads():
    before = threads.get_num_threads()
    threads.set_num_threads(2)
    yield
    threads.set_num_threads(before)


def test_every_task_runs_once(two_threads):
    for count in (0, 1, 2, 7):
        done = []
        threads.spread(done.append, count)
        assert sorted(done) == list(range(count))


def test_blas_has_its_threads_back(two_threads):
    inside = []
    threads.spread(lambda i: inside.append(threads.get_num_threads()), 2)
    assert (set(inside), threads.get_num_threads()) == ({1}, 2)


def test_any_thread_holds_blas(two_threads):
    """Not only the one that did it first."""
    inside = []

    def spread():
        threads.spread(lambda i: inside.append(threads.get_num_threads()), 2)

    spread()
    thread = threading.Thread(target=spread)
    thread.start()
    thread.join()
    assert inside == [1] * 4
    assert threads.get_num_threads() == 2


def test_threads_that_compute_at_once_take_one_each(two_threads):
    here, other, shared = set(), threading.Barrier(2), []

    def compute():
        with threads.computing(), threads.computing():
            other.wait(5)  # both do
            shared.append((threads.get_num_threads(), threads.parts(100)))
            threads.spread(lambda i: here.add(threading.get_ident()), 8)
            other.wait(5)

    callers = [threading.Thread(target=compute) for _ in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert shared == [(1, 1)] * 2
    assert here == {caller.ident for caller in callers}
    with threads.computing():
        assert (threads.get_num_threads(), threads.parts(100)) == (2, 2)


def test_who_fails_computes_no_longer(two_threads):
    with pytest.raises(KeyError), threads.computing():
        raise KeyError
    assert threads._callers._count == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_forked_while_blas_is_held_has_it_back(two_threads):
    children = []

    def task(i):
        if i == 0:
            child = os.fork()
            if child == 0:
                os._exit(0 if threads.get_num_threads() == 2 else 1)
            children.append(child)

    threads.spread(task, 2)
    assert os.waitpid(children[0], 0)[1] == 0


def test_blas_is_held_while_helpers_wait_awake(two_threads):
    inside = []
    threads.spread(lambda i: inside.append(threads.get_num_threads()), 1, more_follows=True)
    assert inside == [1]
    assert threads.get_num_threads() == 2


def test_the_first_exception_is_raised(two_threads):
    def task(i):
        raise KeyError(i)

    with pytest.raises(KeyError):
        threads.spread(task, 4)
    threads.spread(lambda i: None, 4)


def test_work_inside_work_and_beside_it(two_threads):
    """Nested and simultaneous calls compute on the thread they are made on."""
    sums = np.zeros((4, 8))

    def outer(i):
        def inner(j):
            sums[i, j] += 1

        threads.spread(inner, 8)

    callers = [threading.Thread(target=threads.spread, args=(outer, 4)) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert (sums == 3).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_computes(two_threads):
    threads.spread(lambda i: None, 2)
    child = os.fork()
    if child == 0:
        done = []
        threads.spread(done.append, 5)
        os._exit(0 if sorted(done) == list(range(5)) else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("more_follows", [True, False])
def test_helpers_that_wait_awake_and_asleep(two_threads, more_follows):
    done = []
    for pause in [0, 0, 0.005, 0, 0.005]:  # seconds: more than a helper watches for
        threads.spread(done.append, 4, more_follows=more_follows)
        time.sleep(pause)
    assert sorted(done) == sorted(5 * [0, 1, 2, 3])


def test_helpers_are_sent_to_sleep(two_threads):
    """So that none is awake beside BLAS's threads; the next work wakes it."""
    for _ in range(20):
        done = []
        threads.spread(done.append, 2, more_follows=True)
        threads.rest()
        (helper,) = threads._team._helpers
        deadline = time.monotonic() + 5
        while not helper.sleeping and time.monotonic() < deadline:
            time.sleep(1e-4)
        assert helper.sleeping
        assert not helper.expectant
        assert sorted(done) == [0, 1]


def test_helpers_keep_off_the_callers_cpu(two_threads):
    threads.spread(lambda i: None, 2)
    team = threads._team
    cpu = team._callers_cpu
    cpus = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else {cpu}
    if len(cpus) < 2 or cpu < 0:
        pytest.skip("threads cannot be placed here")
    assert all(os.sched_getaffinity(h.native_id) == cpus - {cpu} for h in team._helpers)


def test_one_thread_starts_none(two_threads):
    threads.set_num_threads(1)
    here = set()
    threads.spread(lambda i: here.add(threading.get_ident()), 8)
    assert here == {threading.get_ident()}


@pytest.mark.parametrize("n", [0, 1, 65536, 65537, 700_001])
def test_blocks_cover_everything_once(two_threads, n):
    seen = np.zeros(n, int)

    def task(start, stop):
        seen[start:stop] += 1

    over_blocks(task, n)
    assert (seen == 1).all()


def test_shared_elementwise_work_equals_the_plain_formula(two_threads, rng):
    x = rng.standard_normal(700_001).astype(np.float32)
    out = elementwise(lambda x, out: np.multiply(x, 2.0, out=out), x)
    np.testing.assert_array_equal(out, x * 2)
    tanh = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
    np.testing.assert_allclose(ops.gelu_new(x), 0.5 * x * (1 + np.tanh(tanh)), atol=2e-6)


def test_activations_far_out():
    x = np.array([-1e30, -200.0, -60.0, 60.0, 200.0, 1e30, 0.0, np.nan], np.float32)
    with np.errstate(all="raise"):
        for op in (ops.gelu, ops.gelu_new, ops.silu, ops.quick_gelu):
            out = op(x)
            np.testing.assert_allclose(out[:3], 0.0, atol=1e-20)
            np.testing.assert_array_equal(out[3:7], x[3:7])
            assert np.isnan(out[7])
        np.testing.assert_array_equal(ops.sigmoid(x)[:7], [0, 0, ops.sigmoid(x)[2], 1, 1, 1, 0.5])


@pytest.mark.parametrize("rows", [2, 3, 7, 8, 9, 40, 41])
@pytest.mark.parametrize("size", [(1024, 512), (1000, 777), (1024, 513)])
def test_few_rows(two_threads, rows, size, rng):
    weight = rng.standard_normal(size).astype(np.float32)
    x = rng.standard_normal((1, rows, size[1])).astype(np.float32)
    np.testing.assert_allclose(ops.linear(x, weight), x @ weight.T, atol=1e-3)
    turned = np.ascontiguousarray(weight.T)
    np.testing.assert_allclose(ops.conv1d(x, turned), x @ turned, atol=1e-3)


@pytest.mark.parametrize("beside", [False, True])
def test_blas_sleeps_early_where_numpy_came_first(beside):
    """Unless another thread might be in a product."""
    program = f"""
import os, threading
import numpy as np
if {beside}:
    threading.Thread(target=threading.Event().wait, daemon=True).start()
x = np.ones((300, 300), np.float32)
before = x @ x
from minitransformers.core.threads import prepare_blas
prepare_blas()
assert (x @ x == before).all()
print(os.environ.get("OPENBLAS_THREAD_TIMEOUT"))
"""
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_THREAD_TIMEOUT"}
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == str(None if beside else 4)
