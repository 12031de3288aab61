"""What the tests of the page's JavaScript share."""
import base64

import pytest
from browser import chromium

from cardslib.explorers.html import SCRIPT
from cardslib.explorers.packing import pack


@pytest.fixture(scope="module")   # not longer: playwright runs only one browser at a time
def script():
    """A function that evaluates JavaScript, with the explorers' own module as `explorer`, and `unpacked` for what is packed."""
    with chromium() as browser:
        page = browser.new_page()
        page.evaluate("""async text => {
            window.explorer = await import(URL.createObjectURL(new Blob([text], {type: 'text/javascript'})));
            window.unpacked = ([index, data]) =>
              window.explorer.unpack(index, Uint8Array.from(atob(data), letter => letter.charCodeAt(0))); }""", SCRIPT)
        yield page.evaluate


@pytest.fixture(scope="session")
def packed():
    """A function from {name: array} to what `unpacked` takes in the page."""
    def packed(arrays):
        index, data = pack(arrays)
        return [index, base64.b64encode(data).decode()]
    return packed
