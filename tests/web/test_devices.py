"""What a person would call the device that a User-Agent header stands for."""

import pytest

from tikiwallet.web.devices import LONGEST, describe

_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (
            f"Mozilla/5.0 (Linux; Android 10; K) {_WEBKIT} Chrome/140.0.0.0 Mobile Safari/537.36",
            "Chrome · Android",
        ),
        (
            f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/140.0.0.0 Safari/537.36"
            " Edg/140.0.0.0",
            "Edge · Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML,"
            " like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
            "Safari · iPhone",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML,"
            " like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1",
            "Chrome · iPhone",
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox · Linux",
        ),
        (
            f"Mozilla/5.0 (Linux; Android 10; K) {_WEBKIT} SamsungBrowser/28.0 Chrome/130.0.0.0"
            " Mobile Safari/537.36",
            "Samsung Internet · Android",
        ),
        (
            f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {_WEBKIT} Chrome/140.0.0.0",
            "Chrome · ChromeOS",
        ),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", "Mac"),
        ("Mozilla/5.0", ""),
        ("python-httpx/0.28.1", "python-httpx"),
        ("Tiki Terminal/2.0 (kiosk)", "Tiki Terminal"),
        ("", ""),
        ("<script>alert(1)</script>", ""),
        ("\u202egnitseretni", ""),
        ("x" * 10_000, "x" * LONGEST),
    ],
)
def test_words(user_agent: str, words: str) -> None:
    assert describe(user_agent) == words
