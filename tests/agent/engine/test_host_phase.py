"""Guard 2: while the host starts or stops nothing is begun, and a start that is over settles first."""


def refused(bench):
    bench.pass_time(61)
    bench.process(up=0)
    assert bench.take("runner") == []
    return bench.incident()["refusals"]


def test_nothing_is_begun_while_the_host_starts_nor_before_it_has_settled(bench):
    bench.parts.situations.settle_seconds = 300.0
    bench.engine.phase("starting")
    bench.process(up=0)
    assert refused(bench) == ["settling: the host is starting"]

    bench.engine.phase("running")
    bench.turn()

    assert refused(bench)[0].startswith("settling: settling for another ")
    bench.clock.advance(300)
    bench.process(up=0)
    assert len(bench.take("runner")) == 1


def test_nothing_is_begun_while_the_host_stops_unless_it_does_not_stop_after_all(bench):
    bench.engine.phase("stopping")
    bench.process(up=0)
    assert refused(bench) == ["settling: the host is stopping"]

    bench.engine.phase("running")
    bench.pass_time(61)

    assert len(bench.take("runner")) == 1
