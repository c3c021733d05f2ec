"""The full-screen interface: shows the page that `pages` chooses, and does what is chosen on it."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar, Final

from textual import on
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Footer, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from tikiwallet.errors import Problem
from tikiwallet.money import Currency, currency
from tikiwallet.terminal.amounts import read_amount
from tikiwallet.terminal.device import CannotDo, Terminal
from tikiwallet.terminal.pages import Action, Model, Page, page_of, summary

_BEGUN: Final = {"open_network": "Making a Wi-Fi network. This takes some seconds."}
_MARGINS: Final = 10  # columns beside what the body shows
_TURNS: Final = frozenset({"ask_form", "service", "sign_in_form", "load_form", "phones"})


class TerminalApp(App[None]):
    """The terminal's face. `open_` opens the terminal, once there is a screen to tell of it."""

    TITLE = "TikiWallet"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "last", "Back"),
        ("ctrl+q", "quit", "End"),
    ]
    CSS = """
    #summary { dock: top; padding: 0 2; background: $primary; color: $text; text-style: bold; }
    #body { padding: 1 4; }
    #title { text-style: bold; padding: 1 0; }
    #title.digits { text-align: center; padding: 2 0; text-style: bold reverse; }
    #text { padding: 0 0 1 0; }
    #codes { height: auto; }
    #codes.stacked { layout: vertical; }
    .code { background: white; color: black; width: auto; margin: 0 2 1 0; }
    #notice { color: $warning; text-style: bold; padding: 0 0 1 0; }
    #fields { height: auto; }
    #actions { height: auto; max-height: 16; }
    """

    def __init__(self, open_: Callable[[Any], Awaitable[Terminal]]) -> None:
        super().__init__()
        self._open = open_
        self._model = Model()
        self._page = Page("", "")
        self._terminal: Terminal | None = None
        self._working: set[asyncio.Task[None]] = set()
        self.failure: Exception | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="summary", markup=False)
        with VerticalScroll(id="body"):
            yield Static(id="title", markup=False)
            yield Static(id="text", markup=False)
            yield Static(id="notice", markup=False)
            yield Horizontal(id="codes")
            yield VerticalScroll(id="fields")
            yield OptionList(id="actions", markup=False)
        yield Footer()

    async def on_mount(self) -> None:
        """Begin the terminal's work."""
        try:
            self._terminal = await self._open(self._hear)
        except Exception as error:  # for whoever started it to tell, once the screen is gone
            self._fail(error)
            return
        self.run_worker(self._watch(self._terminal))

    async def _watch(self, terminal: Terminal) -> None:
        try:
            await terminal.failure()
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self.failure = error
        self.exit()

    async def on_unmount(self) -> None:
        """Leave in order."""
        for task in self._working:
            task.cancel()
        if self._terminal:
            await self._terminal.close()

    def _hear(self, event: str, /, **facts: Any) -> None:
        self._model.hear(event, facts)
        self.call_later(self._draw)

    async def _draw(self) -> None:
        if self._terminal and not self._model.wanted:
            self._model.status = self._terminal.status()
        page, before = page_of(self._model), self._page
        self._page = page
        self.query_one("#summary", Static).update(summary(self._model))
        title = self.query_one("#title", Static)
        title.update(page.title)
        title.set_class(page.name in ("compare", "waiting"), "digits")
        self.query_one("#text", Static).update(page.text)
        self.query_one("#notice", Static).update(self._model.notice)
        if page.fields != before.fields or page.name != before.name:
            await self._lay_fields(page)
        if page.codes != before.codes:
            await self._lay_codes(page)
        if page.actions != before.actions:
            self._lay_actions(page)
        if page.name != before.name:
            first = self.query("Input")
            (first.first() if first else self.query_one("#actions")).focus()

    async def _lay_fields(self, page: Page) -> None:
        place = self.query_one("#fields", VerticalScroll)
        await place.remove_children()
        for one in page.fields:
            await place.mount(
                Label(one.label),
                Input(one.value, password=one.is_secret, id=f"field-{one.name}"),
            )

    async def _lay_codes(self, page: Page) -> None:
        """Beside each other where there is room: a code that is broken in two cannot be read."""
        place = self.query_one("#codes", Horizontal)
        await place.remove_children()
        await place.mount(*(Static(one, markup=False, classes="code") for one in page.codes))
        wide = sum(max(map(len, one.splitlines())) + 2 for one in page.codes)
        place.set_class(wide + _MARGINS > self.size.width, "stacked")

    def _lay_actions(self, page: Page) -> None:
        place = self.query_one("#actions", OptionList)
        place.clear_options()
        place.add_options([Option(action.label) for action in page.actions])
        place.highlighted = 0 if page.actions else None

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        inputs = list(self.query(Input))
        if event.input is inputs[-1]:
            self._take(self._page.actions[0])
        else:
            inputs[inputs.index(event.input) + 1].focus()

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        if event.option_index < len(self._page.actions):
            self._take(self._page.actions[event.option_index])

    def action_last(self) -> None:
        """Escape: the page's last action, but for the one that ends the program."""
        if self._page.actions and self._page.actions[-1].name != "quit":
            self._take(self._page.actions[-1])

    def _take(self, action: Action) -> None:
        self._model.notice = _BEGUN.get(action.name, "")
        self.call_later(self._draw)
        typed = {
            one.name: self.query_one(f"#field-{one.name}", Input).value for one in self._page.fields
        }
        task = asyncio.create_task(self._do(action, typed))
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def _do(self, action: Action, typed: dict[str, str]) -> None:
        try:
            await self._command(action, typed)
        except (CannotDo, ValueError, Problem) as error:
            self._model.notice = str(error)
        await self._draw()

    async def _command(self, action: Action, typed: dict[str, str]) -> None:
        terminal = self._terminal
        assert terminal is not None
        match action.name:
            case "quit":
                self.exit()
            case "back":
                self._model.leave()
            case "receipts":
                self._model.receipts = terminal.receipts()
                self._model.wanted = "receipts"
            case "print":
                await _print(self._model.receipts[0]["receipt"])
                self._model.notice = "Printed."
            case turn if turn in _TURNS:
                self._model.wanted = turn
            case "call" | "phones_at":
                await getattr(terminal, action.name)(action.argument)
            case "ask":
                amount = read_amount(typed["amount"], self._currency())
                await terminal.ask(typed["phone"], amount, typed["memo"])
            case "load":
                await self._load(terminal, typed)
            case "set_aside":
                await terminal.set_aside()
                self._model.show = None
            case "sign_in" | "code" | "sync" | "number":
                await getattr(terminal, action.name)(**typed)
                if self._model.wanted != "code" or action.name == "code":
                    self._model.wanted = "service" if action.name != "number" else ""
            case (
                other
            ):  # open_network, close_network, agree, hang_up, cancel, confirm, end_pass, replace
                await getattr(terminal, other)()

    async def _load(self, terminal: Terminal, typed: dict[str, str]) -> None:
        of = currency(typed["currency"].strip().upper())
        nothing = typed["amount"].strip() in ("", "0")
        amount = 0 if nothing else read_amount(typed["amount"], of)
        await terminal.load(amount, of.code, typed["pin"] or None)
        self._model.wanted = "service"

    def _currency(self) -> Currency:
        own = self._model.status.get("pass")
        if own is None:
            raise CannotDo("This terminal has no pass yet. Sign in and load one first.")
        return currency(own["currency"])


async def _print(receipt: str) -> None:
    """On the machine's default printer. Raises `CannotDo`."""
    if shutil.which("lp") is None:
        raise CannotDo("There is no printing here: install CUPS (`lp`).")
    process = await asyncio.create_subprocess_exec(
        "lp", "-", stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    _, complaint = await process.communicate(receipt.encode())
    if process.returncode:
        raise CannotDo(f"Not printed: {complaint.decode(errors='replace').strip()}")


async def run(folder: Path, *, server: str | None, recover: bool) -> None:
    """Until the person ends it. Raises what ends a terminal's work."""

    async def open_(tell: Any) -> Terminal:
        return await Terminal.open(folder, server=server, recover=recover, tell=tell)

    app = TerminalApp(open_)
    await app.run_async()
    if app.failure is not None:
        raise app.failure
