"""What the full-screen interface shows, as values: which page follows from what has happened."""

from dataclasses import dataclass, field
from typing import Any, Final

import segno

from tikiwallet.terminal.showing import Facts

_FINAL: Final = frozenset({"accepted", "voided", "closed", "settled", "returned", "conflict"})
_HALVES: Final = {
    (False, False): " ",
    (True, False): "▀",
    (False, True): "▄",
    (True, True): "█",
}
_BARE: Final = str.maketrans("", "", "[]")  # as IPv6 addresses stand in a URL
_LOST: Final = (
    "Nobody can tell any more what was paid with the pass, so it pays no more. Report this terminal"
    " as replaced to load a new one; what is left returns seven days after the pass has expired."
)
_OVER: Final = {
    "accepted": "Accepted",
    "voided": "Called off",
    "closed": "The pass is ended",
    "settled": "Settled",
    "returned": "Returned",
    "conflict": "In dispute",
}


@dataclass(frozen=True, slots=True)
class Field:
    """Something to type."""

    name: str
    label: str
    is_secret: bool = False
    value: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """Something to choose. Actions with `fields` take what was typed."""

    name: str
    label: str
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One page; Enter in the last field takes the first action, Escape the last."""

    name: str
    title: str
    text: str = ""
    fields: tuple[Field, ...] = ()
    actions: tuple[Action, ...] = ()
    codes: tuple[str, ...] = ()  # QR codes, drawn


@dataclass
class Model:
    """What has been heard, and what the person turned to (`wanted`)."""

    status: Facts = field(default_factory=dict)
    line: Facts = field(default_factory=lambda: {"phase": "idle"})
    peers: list[Facts] = field(default_factory=list)
    show: Facts | None = None
    wanted: str = ""
    notice: str = ""
    receipts: list[Facts] = field(default_factory=list)
    phones: str = ""
    tills: int = 0
    network: Facts = field(default_factory=lambda: {"name": "", "wifi": ""})
    networks: list[str] = field(default_factory=list)

    def hear(self, event: str, facts: Facts) -> None:
        """Take in an event of the terminal."""
        self.notice = str(
            facts.get("text", self.notice if event in ("peers", "tills", "phones") else "")
        )
        match event:
            case "started" | "synced" | "loaded":
                self.status = facts
                self.line, self.peers = facts["line"], facts["peers"]
            case "peers":
                self.peers = facts["peers"]
            case "tills":
                self.tills = facts["count"]
            case "line":
                self.line = facts
                if facts["phase"] == "comparing":
                    self.wanted = ""  # somebody calls
            case "phones":
                self.phones, self.networks = facts["address"], facts["networks"]
            case "network":
                self.network = facts
                if not facts["wifi"] and "text" not in facts and self.wanted == "phones":
                    self.leave()  # it was closed, and is not gone by itself
            case "code_wanted":
                self.wanted = "code"
            case "show":
                self._turn(facts)
            case _:  # only a notice
                pass

    def _turn(self, facts: Facts) -> None:
        if facts["view"] in ("refused", "sync_first"):
            # What was on the screen stays, unless the refusal ended it.
            self.show = self.show if "amount" in facts else None
            return
        self.show = facts
        self.wanted = ""

    def leave(self) -> None:
        """Back to where the line is."""
        self.wanted = ""
        if self.show and self.show["view"] in _FINAL:
            self.show = None


def page_of(model: Model) -> Page:
    """The page to show now."""
    if model.wanted in _WANTED:
        return _WANTED[model.wanted](model)
    if model.show and model.show["view"] in _FINAL:
        return _over(model.show)
    match model.line["phase"]:
        case "calling":
            name = model.line["with"]
            return Page("calling", f"Calling {name}", actions=(Action("hang_up", "Stop"),))
        case "comparing":
            return _compare(model.line)
        case "lost":
            text = "Trying to reach them again. What was signed is kept, and nothing is paid twice."
            actions = (Action("hang_up", "Give up"),)
            return Page("lost", "The connection is lost", text, actions=actions)
        case "open":
            return _open(model)
        case _:
            return _near(model)


def summary(model: Model) -> str:
    """The line at the top: whose terminal, what is left, what waits."""
    own = model.status.get("pass")
    parts = [str(model.status.get("name", ""))]
    if own:
        parts.append(f"{own['left_price']} left, {own['payments_left']} payments")
    else:
        parts.append("no pass yet")
    if tills := model.tills:
        parts.append(f"{tills} other {'till' if tills == 1 else 'tills'}")
    if network := model.network["name"]:
        parts.append(f"Wi-Fi {network}")
    if waiting := model.status.get("to_upload"):
        parts.append(f"{waiting} to upload")
    return "  ·  ".join(parts)


def _near(model: Model) -> Page:
    calls = tuple(Action("call", f"Call {peer['name']}", peer["id"]) for peer in model.peers)
    text = "Names are what others say of themselves. Six digits and the pass prove who they are."
    return Page(
        "near",
        "Terminals near" if calls else "Looking for terminals on the local networks",
        text if calls else "",
        actions=(
            *calls,
            *([Action("phones", "Let a phone in")] if _may_have_phones(model) else []),
            Action("receipts", "Receipts"),
            Action("service", "Service: sign in, load, sync"),
            Action("quit", "End"),
        ),
    )


def _may_have_phones(model: Model) -> bool:
    return bool(model.phones or model.status.get("server"))


def _compare(line: Facts) -> Page:
    digits = f"{line['digits'][:3]} {line['digits'][3:]}"
    if line["agreed"]:
        text = "Waiting for the other side to say the same."
        return Page("waiting", digits, text, actions=(Action("hang_up", "Hang up"),))
    text = "Does the other screen show the same digits? If not, somebody sits in between: hang up."
    agree = (Action("agree", "Yes, the same"), Action("hang_up", "No: hang up"))
    return Page("compare", digits, text, actions=agree)


def _open(model: Model) -> Page:
    show = model.show or {}
    match show.get("view"):
        case "type_number":
            return Page(
                "number",
                f"They ask for {show['price']}",
                _memo(show),
                (Field("phone", "Their phone number, with country code"),),
                (Action("number", "Go on"), Action("set_aside", "Do not pay")),
            )
        case "review":
            pay = (Action("confirm", f"Pay {show['price']}"), Action("set_aside", "Do not pay"))
            title = f"Pay {show['price']} to {show['name']}?"
            return Page("review", title, _memo(show), actions=pay)
        case "sending":
            text = "Signed and kept. If they do not answer, it is sent again, and never twice paid."
            leave = (Action("set_aside", "Leave it for later"),)
            return Page("sending", f"Paying {show['price']}", text, actions=leave)
        case "asking":
            text = f"Of {show['phone']}. Waiting for them to pay."
            call_off = (Action("cancel", "Call off"),)
            return Page("asking", f"Asking for {show['price']}", text, actions=call_off)
        case _:
            return Page(
                "open",
                "Connected",
                "Ask for money, or wait until the other side does.",
                actions=(
                    Action("ask_form", "Ask for money"),
                    Action("receipts", "Receipts"),
                    Action("hang_up", "Hang up"),
                ),
            )


def _memo(show: Facts) -> str:
    return f"For: {show['memo']}" if show.get("memo") else ""


def _over(show: Facts) -> Page:
    what = show.get("price", "")
    title = f"{_OVER[show['view']]}: {what}" if what else _OVER[show["view"]]
    who = "to" if show.get("direction") == "paid" else "from"
    lines = [f"{who} {show['name']}".capitalize() if show.get("name") else "", _memo(show)]
    words = str(show.get("words", ""))
    text = "\n".join(line for line in (*lines, words[:1].upper() + words[1:]) if line)
    return Page(f"over {show['view']}", title, text, actions=(Action("back", "OK"),))


def _ask(_model: Model) -> Page:
    return Page(
        "ask",
        "Ask for money",
        fields=(
            Field("phone", "Payer's phone number, with country code"),
            Field("amount", "Amount, such as 12.50"),
            Field("memo", "For what (may stay empty)"),
        ),
        actions=(Action("ask", "Ask"), Action("back", "Back")),
    )


def _service(model: Model) -> Page:
    status: dict[str, Any] = model.status
    signed_in = bool(status.get("phone"))
    lines = [
        f"Server: {status.get('server') or 'none; start with --server URL'}",
        f"Signed in as {status['phone']}" if signed_in else "Nobody is signed in",
    ]
    actions = [Action("sign_in_form", "Sign in")]
    if signed_in:
        actions = [
            Action("sync", "Sync now"),
            Action("load_form", "Load a pass"),
            Action("end_pass", "End the pass, so that a new one can be loaded"),
            *actions,
        ]
        own = status.get("pass")
        if own is None or own["doubt"] == "lost":
            actions.append(Action("replace", "Report this terminal as replaced"))
        if own and own["doubt"] == "lost":
            lines.append(_LOST)
    text = "\n".join(lines)
    return Page("service", "Service", text, actions=(*actions, Action("back", "Back")))


def _sign_in(_model: Model) -> Page:
    return Page(
        "sign_in",
        "Sign in",
        fields=(
            Field("phone", "Your phone number, with country code"),
            Field("password", "Password", is_secret=True),
        ),
        actions=(Action("sign_in", "Sign in"), Action("back", "Back")),
    )


def _code(_model: Model) -> Page:
    return Page(
        "code",
        "One more step",
        "Type the code of your second factor.",
        (Field("code", "Code"),),
        (Action("code", "Go on"), Action("back", "Back")),
    )


def _load(_model: Model) -> Page:
    return Page(
        "load",
        "Load a pass",
        "The money waits in escrow and is yours to spend offline. With 0 the terminal can only be"
        " paid.",
        (
            Field("amount", "Amount, such as 50.00"),
            Field("currency", "Currency, such as SGD"),
            Field("pin", "PIN, if you have one", is_secret=True),
        ),
        (Action("load", "Load"), Action("back", "Back")),
    )


def _receipts(model: Model) -> Page:
    text = "\n".join(one["receipt"] for one in model.receipts) or "No payments yet."
    actions = [Action("back", "Back")]
    if model.receipts:
        actions.insert(0, Action("print", "Print the newest"))
    return Page("receipts", "Receipts", text, actions=tuple(actions))


def _phones(model: Model) -> Page:
    codes = [f"{qr_code(model.phones)}\nopens the app"] if model.phones else []
    others = (one for one in model.networks if f"#{one}:" not in model.phones.translate(_BARE))
    actions = [Action("phones_at", f"In the network of {one}", one) for one in others]
    if wifi := model.network["wifi"]:
        codes.insert(0, f"{qr_code(wifi)}\njoins {model.network['name']}")
        actions.append(Action("close_network", "Back, and close the Wi-Fi network"))
        title = "A phone's camera joins the network, then opens the app"
        text = "" if model.phones else "Nobody has given this terminal an address in it yet."
    else:
        actions.append(Action("open_network", "Make a Wi-Fi network of this terminal's own"))
        actions.append(Action("back", "Back"))
        title = "A phone's camera opens this"
        text = "" if codes else "There is no network that phones can reach."
    return Page("phones", title, text, actions=tuple(actions), codes=tuple(codes))


def qr_code(text: str) -> str:
    """A QR code as text, two rows of it a line; to be shown black on white."""
    rows = [list(row) for row in segno.make(text, micro=False, error="l").matrix_iter(border=2)]
    rows += [[0] * len(rows[0])] * (len(rows) % 2)
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return "\n".join(
        "".join(_HALVES[bool(up), bool(down)] for up, down in zip(*pair, strict=True))
        for pair in pairs
    )


_WANTED: Final = {
    "ask_form": _ask,
    "service": _service,
    "sign_in_form": _sign_in,
    "code": _code,
    "load_form": _load,
    "receipts": _receipts,
    "phones": _phones,
}
