import threading
import time

from pixlake_cli.engine.admission import Cores


def test_no_more_cores_are_held_than_exist() -> None:
    cores, lock, busy, most = Cores(3), threading.Lock(), 0, 0

    def work(width: int) -> None:
        nonlocal busy, most
        with cores.hold(width):
            with lock:
                busy += width
                most = max(most, busy)
            time.sleep(0.01)
            with lock:
                busy -= width

    threads = [threading.Thread(target=work, args=(1 + index % 3,)) for index in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 3


def test_a_request_for_too_many_cores_gets_all() -> None:
    cores = Cores(2)
    with cores.hold(8):
        pass
    with cores.hold(2):
        pass


def test_a_request_for_many_cores_is_not_overtaken() -> None:
    cores, order = Cores(2), []

    def work(name: str, width: int) -> None:
        with cores.hold(width):
            order.append(name)

    with cores.hold(1):
        threads = [threading.Thread(target=work, args=one) for one in (("wide", 2), ("narrow", 1))]
        for thread in threads:
            thread.start()
            time.sleep(0.1)
        assert order == []
    for thread in threads:
        thread.join()
    assert order == ["wide", "narrow"]
