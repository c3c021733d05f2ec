"""What callers can be told: problems with a stable code, unique by construction.

A problem is a refusal in the caller's words. Bugs stay ordinary exceptions. `web/errors.py` holds
the one table that maps codes to HTTP.
"""

from typing import ClassVar


class Problem(Exception):
    """Base of everything a caller may be told. Subclasses set `code` and `title`.

    `detail` explains this one case in the caller's words; `extra` holds members that are added to
    the problem document (`challenge_id`, `retry_after`, ...). Neither ever holds a secret.
    """

    code: ClassVar[str] = ""
    title: ClassVar[str] = ""
    registry: ClassVar[dict[str, type["Problem"]]] = {}

    def __init__(self, detail: str = "", **extra: object) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.extra = extra
        self.replayed = False  # the same answer was given before, to the same request
        self.instance = ""  # what it is about, where that is not just this one request

    def __init_subclass__(cls) -> None:
        if not cls.code or not cls.title:
            raise TypeError(f"{cls.__name__} needs a code and a title")
        if cls.code in Problem.registry:
            raise TypeError(f"{cls.__name__} repeats the code {cls.code!r}")
        Problem.registry[cls.code] = cls


class InvalidRequest(Problem):
    code = "invalid_request"
    title = "The request is not valid"


class NotFound(Problem):
    code = "not_found"
    title = "There is no such thing, or it is not yours"


class Overloaded(Problem):
    code = "overloaded"
    title = "Too much at once; try again in a moment"


class Unavailable(Problem):
    code = "unavailable"
    title = "The outcome is not known yet; ask again with the same key"
