"""wpa_supplicant's D-Bus interface as far as groups go, as documented, without a radio.

    python -m tests.terminal.fake_supplicant ADDRESS MODE

Says `ready` on stdout once it has its name, then each call that it gets.
"""

import asyncio
import sys
from typing import Any

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

SERVICE = "fi.w1.wpa_supplicant1"
ROOT = "/fi/w1/wpa_supplicant1"
DEVICE = f"{ROOT}/Interfaces/1"
OTHER = f"{ROOT}/Interfaces/0"
GROUP_INTERFACE = f"{ROOT}/Interfaces/2"
GROUP = f"{GROUP_INTERFACE}/Groups/6b"
P2P = f"{SERVICE}.Interface.P2PDevice"
SSID = b'DIRECT-6b;"tiki"'
PASSPHRASE = 'a\\b:c,d"e;1'


class Supplicant:
    def __init__(self, bus: MessageBus, mode: str) -> None:
        self.bus = bus
        self.mode = mode
        self.has_group = False
        self.over = asyncio.Event()

    def properties(self, path: str, interface: str) -> dict[str, Variant]:
        capabilities = [] if self.mode == "without-p2p" else ["ap", "p2p"]
        modes = ["infrastructure"] if self.mode == "without-radio" else ["infrastructure", "p2p"]
        match path, interface.removeprefix(SERVICE):
            case (p, "") if p == ROOT:
                return {
                    "Interfaces": Variant("ao", [OTHER, DEVICE]),
                    "Capabilities": Variant("as", capabilities),
                }
            case (p, ".Interface") if p == OTHER:
                return {"Ifname": Variant("s", "wlan1"), "Capabilities": Variant("a{sv}", {})}
            case (p, ".Interface") if p == DEVICE:
                able = {"Modes": Variant("as", modes)}
                return {"Ifname": Variant("s", "wlan0"), "Capabilities": Variant("a{sv}", able)}
            case (p, ".Interface") if p == GROUP_INTERFACE and self.has_group:
                return {"Ifname": Variant("s", "p2p-wlan0-0")}
            case (p, ".Group") if p == GROUP and self.has_group:
                ssid = b"\xff\xfe" if self.mode == "unreadable" else SSID
                return {
                    "Role": Variant("s", "GO"),
                    "SSID": Variant("ay", ssid),
                    "Passphrase": Variant("s", PASSPHRASE),
                    "Frequency": Variant("q", 2437),
                    "Members": Variant("ao", []),
                }
            case _:
                raise KeyError(path)

    def signal(self, member: str, signature: str, *body: Any) -> None:
        self.bus.send(Message.new_signal(DEVICE, P2P, member, signature, list(body)))

    def group_signal(self, member: str) -> None:
        role = "client" if self.mode == "client" else "GO"
        about = {
            "interface_object": Variant("o", GROUP_INTERFACE),
            "role": Variant("s", role),
            "group_object": Variant("o", GROUP),
        }
        self.signal(member, "a{sv}", about)

    def group_add(self, call: Message) -> Message | None:
        if self.mode == "refusing":
            return Message.new_error(
                call, f"{SERVICE}.InvalidArgs", "Did not receive correct arguments"
            )
        if self.mode == "forbidden":
            return Message.new_error(call, "org.freedesktop.DBus.Error.AccessDenied", "no")
        if self.mode == "vanishing-early":
            self.over.set()
            return None
        self.bus.send(Message.new_method_return(call))
        if self.mode == "failing":
            self.signal("GroupFormationFailure", "s", "FREQ_CONFLICT")
        elif self.mode != "silent":
            self.has_group = True
            self.group_signal("GroupStarted")
        return None

    def disconnect(self, call: Message) -> Message | None:
        if not self.has_group or call.path != GROUP_INTERFACE:
            return Message.new_error(call, f"{SERVICE}.UnknownError", "failed to disconnect")
        self.has_group = False
        self.bus.send(Message.new_method_return(call))
        self.group_signal("GroupFinished")
        return None

    def handle(self, call: Message) -> Message | bool | None:
        if call.message_type is not MessageType.METHOD_CALL:
            return None
        print(call.member, call.path, flush=True)  # noqa: T201
        match call.interface, call.member:
            case "org.freedesktop.DBus.Properties", "GetAll":
                try:
                    found = self.properties(str(call.path), call.body[0])
                except KeyError:
                    name = "org.freedesktop.DBus.Error.UnknownObject"
                    return Message.new_error(call, name, "no such object")
                return Message.new_method_return(call, "a{sv}", [found])
            case interface, "GroupAdd" if interface == P2P:
                return self.group_add(call) or True
            case interface, "Disconnect" if interface == P2P:
                return self.disconnect(call) or True
            case _:
                return None


async def main(address: str, mode: str) -> None:
    bus = await MessageBus(address).connect()
    supplicant = Supplicant(bus, mode)
    bus.add_message_handler(supplicant.handle)
    await bus.request_name(SERVICE)
    print("ready", flush=True)  # noqa: T201
    await supplicant.over.wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
