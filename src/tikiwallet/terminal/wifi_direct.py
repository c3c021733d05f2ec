"""A Wi-Fi network of the terminal's own, where there is no other: it is the owner of a Wi-Fi Direct
group, made through wpa_supplicant's D-Bus interface. Phones join it as any WPA2 network.

wpa_supplicant makes the network; addresses in it are given by whoever does that on this machine
(systemd-networkd: `[Match] Name=p2p-*`, `[Network] Address=192.168.49.1/24`, `DHCPServer=yes`).
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Self

from dbus_fast import (
    BusType,
    DBusFastError,
    Message,
    MessageType,
    unpack_variants,
)
from dbus_fast.aio import MessageBus

from tikiwallet import logs

SERVICE: Final = "fi.w1.wpa_supplicant1"
ROOT: Final = "/fi/w1/wpa_supplicant1"
INTERFACE: Final = f"{SERVICE}.Interface"
P2P: Final = f"{INTERFACE}.P2PDevice"
GROUP: Final = f"{SERVICE}.Group"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"
_BUS: Final = "org.freedesktop.DBus"
_CALL_SECONDS: Final = 5.0
_START_SECONDS: Final = 20.0
_log = logs.get("terminal.wifi_direct")


class NoWifiDirect(Exception):
    """There is no group; the text is one sentence that says why. Other links still work."""


class _Refused(Exception):
    """wpa_supplicant answered a call with an error."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text or name)
        self.name = name


@dataclass(frozen=True, slots=True)
class Group:
    """The network that phones join. `interface` is its name on this machine: `p2p-wlan0-0`."""

    ssid: str
    passphrase: str = field(repr=False)
    interface: str

    @property
    def text(self) -> str:
        """What the QR code says: a phone's camera offers to join."""
        return f"WIFI:T:WPA;S:{_escaped(self.ssid)};P:{_escaped(self.passphrase)};;"


def _escaped(value: str) -> str:
    return "".join(f"\\{letter}" if letter in '\\;,":' else letter for letter in value)


class GroupOwner:
    """A group that runs, until `remove`; `ended` is set when it is gone for any other reason."""

    def __init__(self, bus: MessageBus, owner: str) -> None:
        self.ended = asyncio.Event()
        self.group = Group("", "", "")
        self._bus = bus
        self._owner = owner  # wpa_supplicant's name on the bus now: others may not speak for it
        self._started: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._path = ""
        self._watch = asyncio.create_task(self._watch_bus())
        bus.add_message_handler(self._hear)

    @classmethod
    async def create(cls, address: str | None = None) -> Self:
        """Make a group, on the system's bus or the one at `address`. Raises `NoWifiDirect`."""
        bus = await _connected(address)
        try:
            owner = cls(bus, await _owner_of(bus))
        except BaseException:
            bus.disconnect()
            raise
        try:
            await owner._start()
        except BaseException as error:
            await owner.remove()
            if isinstance(error, (_Refused, OSError, EOFError, TimeoutError, DBusFastError)):
                raise NoWifiDirect(_why(error)) from None
            raise
        return owner

    async def _start(self) -> None:
        for rule in (
            f"type='signal',sender='{SERVICE}',interface='{P2P}'",
            f"type='signal',sender='{_BUS}',member='NameOwnerChanged',arg0='{SERVICE}'",
        ):
            await _ask_bus(self._bus, "AddMatch", "s", rule)
        device = await self._radio()
        self._path = device
        await self._ask(device, P2P, "GroupAdd", "a{sv}", {})
        async with asyncio.timeout(_START_SECONDS):
            started = await self._started
        if started.get("role") != "GO":
            raise _Refused("role", "this device joined a group instead of owning one")
        self._path = started["interface_object"]
        group = await self._properties(started["group_object"], GROUP)
        interface = await self._properties(self._path, INTERFACE)
        self.group = _group(group, str(interface.get("Ifname", "")))

    async def _radio(self) -> str:
        """The first interface that can do it."""
        here = await self._properties(ROOT, SERVICE)
        if "p2p" in here.get("Capabilities", ()):
            for path in here.get("Interfaces", ()):
                able = (await self._properties(path, INTERFACE)).get("Capabilities", {})
                if "p2p" in able.get("Modes", ()):
                    return str(path)
        raise NoWifiDirect("This device has no Wi-Fi radio that can do Wi-Fi Direct.")

    async def remove(self) -> None:
        """End the group and let go of the bus; nothing is raised when it is gone already."""
        if self._path and self._bus.connected and not self.ended.is_set():
            with suppress(_Refused, OSError, EOFError, TimeoutError, DBusFastError):
                await self._ask(self._path, P2P, "Disconnect")
                async with asyncio.timeout(_CALL_SECONDS):
                    if self.group.interface:
                        await self.ended.wait()
        self._bus.remove_message_handler(self._hear)
        self._bus.disconnect()
        self._watch.cancel()
        self._started.cancel()

    async def _watch_bus(self) -> None:
        with suppress(Exception):  # however it ended, it did
            await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        self._fail("the system bus is gone")

    def _hear(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        if message.sender == _BUS and message.member == "NameOwnerChanged":
            if message.body[0] == SERVICE and message.body[1] == self._owner:
                self._fail("wpa_supplicant stopped")
        elif message.sender == self._owner and message.interface == P2P:
            self._hear_device(str(message.member), unpack_variants(message.body))

    def _hear_device(self, member: str, body: list[Any]) -> None:
        match member, body:
            case "GroupStarted", [dict(started)] if not self._started.done():
                self._started.set_result(started)
            case "GroupFinished", [dict(finished)]:
                if finished.get("interface_object") == self._path:
                    self._fail("the group ended")
            case "GroupFormationFailure", [str(reason)]:
                self._fail(f"the group could not be formed ({reason})")
            case _:
                pass

    def _fail(self, reason: str) -> None:
        if not self._started.done():
            self._started.set_exception(_Refused("ended", reason))
            # Nobody may be waiting for it yet, or any more.
            self._started.exception()
        elif not self.ended.is_set():
            _log.info("the Wi-Fi Direct group is over", reason=reason)
        self.ended.set()

    async def _ask(
        self, path: str, interface: str, member: str, signature: str = "", *body: Any
    ) -> list[Any]:
        return await _call(self._bus, self._owner, path, interface, member, signature, *body)

    async def _properties(self, path: str, interface: str) -> dict[str, Any]:
        [found] = await self._ask(path, _PROPERTIES, "GetAll", "s", interface)
        if not isinstance(found, dict):
            raise _Refused("properties", "its answer could not be read")
        return found


def _group(found: dict[str, Any], interface: str) -> Group:
    try:
        ssid = bytes(found["SSID"]).decode()
        passphrase = str(found["Passphrase"])
    except (KeyError, TypeError, ValueError):
        raise _Refused("group", "the group's name or passphrase could not be read") from None
    if not (1 <= len(ssid.encode()) <= 32 and 8 <= len(passphrase) <= 63 and interface):
        raise _Refused("group", "the group's name or passphrase could not be read")
    return Group(ssid, passphrase, interface)


async def _connected(address: str | None) -> MessageBus:
    try:
        bus = MessageBus(address, bus_type=BusType.SYSTEM, auth_timeout=_CALL_SECONDS)
        return await bus.connect()
    except (OSError, EOFError, DBusFastError):
        raise NoWifiDirect(
            "There is no system bus here, so this device makes no Wi-Fi network of its own."
        ) from None


async def _owner_of(bus: MessageBus) -> str:
    """Who wpa_supplicant is now; started by the bus where that is how it is set up."""
    try:
        try:
            [owner] = await _ask_bus(bus, "GetNameOwner", "s", SERVICE)
        except _Refused:
            await _ask_bus(bus, "StartServiceByName", "su", SERVICE, 0)
            [owner] = await _ask_bus(bus, "GetNameOwner", "s", SERVICE)
        return str(owner)
    except (_Refused, OSError, EOFError, TimeoutError, DBusFastError):
        raise NoWifiDirect(
            "wpa_supplicant is not running, so this device makes no Wi-Fi network of its own."
        ) from None


async def _ask_bus(bus: MessageBus, member: str, signature: str, *body: Any) -> list[Any]:
    return await _call(bus, _BUS, "/org/freedesktop/DBus", _BUS, member, signature, *body)


async def _call(
    bus: MessageBus,
    destination: str,
    path: str,
    interface: str,
    member: str,
    signature: str = "",
    *body: Any,
) -> list[Any]:
    """The answer's values, variants unpacked. Raises `_Refused`, and what a lost bus raises."""
    async with asyncio.timeout(_CALL_SECONDS):
        answer = await bus.call(
            Message(
                destination=destination,
                path=path,
                interface=interface,
                member=member,
                signature=signature,
                body=list(body),
            )
        )
    if answer is None:
        raise EOFError("no answer")
    if answer.message_type is MessageType.ERROR:
        text = answer.body[0] if answer.body and isinstance(answer.body[0], str) else ""
        raise _Refused(str(answer.error_name), text)
    values: list[Any] = unpack_variants(answer.body)
    return values


def _why(error: Exception) -> str:
    match error:
        case _Refused(name="org.freedesktop.DBus.Error.AccessDenied"):
            return "This program may not use wpa_supplicant, so it makes no Wi-Fi network."
        case _Refused():
            return f"wpa_supplicant made no Wi-Fi network: {str(error).rstrip('.')}."
        case TimeoutError():
            return "wpa_supplicant did not make a Wi-Fi network in time."
        case _:
            return "The system bus was lost while a Wi-Fi network was being made."
