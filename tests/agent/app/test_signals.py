"""Signals as bytes of a pipe: none is missed, whenever it comes."""

import os
import signal
import subprocess
import sys
import threading

from agent.app.signals import Signals

_STARTING = """
import signal, threading
from agent.app.signals import Signals

def busy():
    while True:
        sum(range(50))

with Signals(signal.SIGTERM) as signals:
    for _ in range(3):
        threading.Thread(target=busy, daemon=True).start()
    print("ready", flush=True)
    signals.wait()
"""


def test_a_signal_that_came_before_the_wait_is_seen_by_it() -> None:
    with Signals(signal.SIGUSR1, signal.SIGUSR2) as signals:
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR2)
        seen = signals.wait()
        seen |= signals.wait() if len(seen) < 2 else set()
    assert seen == {signal.SIGUSR1, signal.SIGUSR2}


def test_another_thread_can_wake_the_waiting_one() -> None:
    with Signals() as signals:
        teller = threading.Thread(target=signals.tell, args=(signal.SIGTERM,))
        teller.start()
        assert signals.wait() == {signal.SIGTERM}
        teller.join()


def test_a_signal_is_seen_while_other_threads_keep_the_interpreter_busy() -> None:
    for _ in range(10):
        with subprocess.Popen([sys.executable, "-c", _STARTING], stdout=subprocess.PIPE) as starting:
            assert starting.stdout is not None
            starting.stdout.readline()
            starting.terminate()
            try:
                assert starting.wait(60) == 0
            finally:
                starting.kill()


def test_a_wait_may_end_without_any_and_afterwards_they_do_what_they_did() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with Signals(signal.SIGUSR1) as signals:
        assert signals.wait(0.01) == set()
    assert signal.getsignal(signal.SIGUSR1) is before
