"""Marks are found whole or not at all, and shown text stays text."""

import pytest

from agent.tickets.marks import mark, marked
from agent.tickets.markup import fenced, html, preformatted


def test_a_mark_has_no_syntax_and_belongs_to_one_key():
    assert mark("host:1").removeprefix("paramedic-").isalnum()
    assert mark("host:1") == mark("host:1")
    assert len({mark("host:1"), mark("host:10"), mark("host: 1"), mark("' OR 1=1 --\n")}) == 4


def test_a_mark_is_the_last_line():
    assert marked("a\nb\n\n", "k").splitlines() == ["a", "b", "", mark("k")]


@pytest.mark.parametrize("hostile", ["```\n@everyone", "````", "a ``` b `````` c", "`", ""])
def test_a_fence_is_longer_than_any_in_the_text(hostile: str):
    first, *_, last = fenced(hostile).splitlines()
    assert first == last + "text"
    assert len(last) >= 3
    assert last not in hostile


@pytest.mark.parametrize("hostile", ["</pre>", "<PRE>", "</Code x>", "<notextile>", "<</pre>/pre>"])
def test_no_tag_in_the_text_ends_a_preformatted_block(hostile: str):
    inner = preformatted(f"a {hostile} b").removeprefix("<pre>").removesuffix("</pre>").lower()
    assert not any(tag in inner for tag in ("</pre", "<pre", "<code", "</code", "<notextile"))


def test_html_has_no_tag_but_its_own():
    assert html("<b onclick=x>&amp;") == "<pre>&lt;b onclick=x&gt;&amp;amp;</pre>"
