"""The report on isolation, for machines that this one is not."""

import logging

import pytest

from streams.executors.sandbox.capabilities import Capabilities
from streams.executors.sandbox.inside.spec import ACTIVE, LAYERS, Plan

REPORT = dict.fromkeys(LAYERS, ACTIVE)


def test_all_layers_hold() -> None:
    capabilities = Capabilities.of("full", {}, REPORT)
    assert capabilities.active == LAYERS
    assert capabilities.missing == {}
    assert capabilities.within_reach == ()


def test_each_lost_layer_has_the_reason_of_the_plan_that_would_have_given_it() -> None:
    refusals: dict[Plan, str] = {"full": "mount: EPERM", "no-mount": "unshare: EPERM"}
    assert Capabilities.of("no-mount", {"full": "mount: EPERM"}, REPORT).missing == {
        "mount-namespace": "mount: EPERM"
    }
    assert Capabilities.of("none", refusals, REPORT).missing == {
        "mount-namespace": "mount: EPERM",
        "network-namespace": "unshare: EPERM",
        "pid-namespace": "unshare: EPERM",
    }


@pytest.mark.parametrize(
    ("missing", "within_reach"),
    [
        (("mount-namespace",), ()),
        (("mount-namespace", "landlock"), ("files outside their folder",)),
        (("network-namespace", "pid-namespace", "seccomp"), ("the network", "other processes")),
    ],
)
def test_what_is_within_reach_is_said_aloud(
    missing: tuple[str, ...], within_reach: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    capabilities = Capabilities({**REPORT, **dict.fromkeys(missing, "no such thing")})
    assert capabilities.within_reach == within_reach
    with caplog.at_level(logging.WARNING):
        capabilities.announce()
    reported = [record for record in caplog.records if record.name.startswith("streams.executors.")]
    assert len(reported) == len(missing) + len(within_reach)
