"""Whether a person may have the pass they ask for: everything that is checked before its intent."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from tikiwallet import ids
from tikiwallet.errors import InvalidRequest, NotFound, Problem
from tikiwallet.money import Money
from tikiwallet.offline.devices import PSEUDONYM_BYTES, DeviceFrozen, DeviceRevoked, Devices
from tikiwallet.offline.limits import LimitTable, PassLimits
from tikiwallet.offline.records import Device
from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.keys import PublicKey
from tikiwallet.payments.approval import Approval
from tikiwallet.wallets.refusals import InsufficientFunds
from tikiwallet.wallets.wallets import Wallet, Wallets

PROOF_DOMAIN: Final = b"tikiwallet/offline/1/key\x00"


class PassOpen(Problem):
    """`pass` is the open one's id."""

    code = "pass_open"
    title = "This device has an open pass in this currency; close it first"


class PassTooLarge(Problem):
    """`most` is the largest amount, in minor units."""

    code = "pass_too_large"
    title = "This is more than a pass of this device may hold"


class PassKeyInvalid(Problem):
    code = "pass_key_invalid"
    title = "The key is no point of P-256 in its compressed form of 33 bytes"


class PassProofInvalid(Problem):
    code = "pass_proof_invalid"
    title = "The proof is no signature by this key over this device's id"


class PassKeyUsed(Problem):
    code = "pass_key_used"
    title = "Another pass has this key; make a fresh one for each pass"


@dataclass(frozen=True, slots=True)
class PassRequest:
    """What a person asks for. `key` is the Idempotency-Key; `proof` shows that the device holds the
    private half of `public_key`."""

    person: int
    device: int
    money: Money
    public_key: bytes
    proof: bytes
    payee_lock: bytes | None
    pin: str | None
    key: str

    @property
    def id(self) -> bytes:
        """The pass's id, and the ledger transaction's."""
        return ids.derived_id("offline pass", self.person, self.key)

    @property
    def digest(self) -> bytes:
        """What decides whether it was asked for before. The proof may have another nonce, the PIN
        may be mended."""
        amount, currency = self.money
        numbers = (self.device, amount, currency.number)
        content = b"".join(number.to_bytes(8, "big") for number in numbers)
        return sha256(content + self.public_key + (self.payee_lock or b"")).digest()


@dataclass(frozen=True, slots=True)
class Admitted:
    """What a request that may be carried out refers to."""

    request: PassRequest
    device: Device
    limits: PassLimits
    wallet: Wallet


class Admission:
    """Checks requests for passes."""

    def __init__(
        self,
        devices: Devices,
        limits: LimitTable,
        wallets: Wallets,
        approval: Approval,
    ) -> None:
        self._devices = devices
        self._limits = limits
        self._wallets = wallets
        self._approval = approval

    async def admit(self, request: PassRequest) -> Admitted:
        """What the request refers to. What it takes out of a wallet is counted against lower limits
        then; `give_back` when nothing came of it. Raises Problem."""
        device = await self._devices.get(request.person, request.device)
        if device.revoked_at is not None:
            raise DeviceRevoked
        if await self._devices.is_stopped(request.person):
            raise DeviceFrozen
        _check_key(request, device)
        limits = await self._limits.of(request.money.currency, device.tier)
        if request.money.amount > limits.most_per_pass:
            raise PassTooLarge(
                f"A pass of this device holds at most {limits.most_per_pass} minor units",
                most=limits.most_per_pass,
            )
        await self._check_lock(request)
        return Admitted(request, device, limits, await self._wallet(request))

    async def give_back(self, person: int, id: bytes) -> None:
        """The pass took no money."""
        await self._approval.give_back(person, id)

    async def _wallet(self, request: PassRequest) -> Wallet:
        person, (amount, currency) = request.person, request.money
        if amount == 0:  # it is where received money will go
            wallet, _ = await self._wallets.open_wallet(person, currency)
            return wallet
        found = await self._wallets.find(person, currency)
        if found is None:
            raise InsufficientFunds(f"You have no wallet in {currency.code}")
        await self._approval.check_pin(person, currency, amount, request.pin)
        await self._approval.count(person, request.id, currency, amount)
        return found

    async def _check_lock(self, request: PassRequest) -> None:
        if request.payee_lock is None:
            return
        if request.money.amount == 0:
            raise InvalidRequest("A pass without money pays nobody", pointer="/payee_lock")
        if len(request.payee_lock) != PSEUDONYM_BYTES:
            raise InvalidRequest(f"A pseudonym has {PSEUDONYM_BYTES} bytes", pointer="/payee_lock")
        if await self._devices.by_pseudonym(request.payee_lock) is None:
            raise NotFound("No device takes payments under this pseudonym")


def _check_key(request: PassRequest, device: Device) -> None:
    try:
        key = PublicKey(request.public_key)
    except Malformed:
        raise PassKeyInvalid from None
    if not key.verify(request.proof, PROOF_DOMAIN + device.written_id.encode()):
        raise PassProofInvalid
