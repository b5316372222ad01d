"""What a page begins with cannot leave its script element."""

import json

import pytest

from telemon.wallboard.feed import to_json
from telemon.wallboard.pages import boot_json


@pytest.mark.parametrize(
    "hostile",
    ["</script><script>alert(1)</script>", "<!--", "<!--<script>", "]]>", "&lt;", "\u2028\u2029", "\udc80", '"\\'],
)
def test_nothing_ends_the_boot_json(hostile):
    said = boot_json({"words": {hostile: hostile}}, to_json({"calls": [hostile]}))
    assert not set("<>&\u2028\u2029") & set(said)
    assert json.loads(said) == {"words": {hostile: hostile}, "picture": {"calls": [hostile]}}
