"""Text as it stands on a screen."""

import re


def shown(text: str) -> re.Pattern[str]:
    """Matches `text` wherever it stands, with the invisible marks that keep amounts and names in
    one piece beside right-to-left words."""
    return re.compile("[\u2066-\u2069]*".join(map(re.escape, text)))
