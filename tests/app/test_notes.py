"""Private notes: read on both sides' devices, and by nobody who holds the server."""

import json

from playwright.sync_api import expect
from tests.app.conftest import OpenPage
from tests.app.people import People

SECRET = "The key is under the third stone 🗝"


def test_a_note_is_read_by_the_other_side_and_not_by_the_server(
    open_page: OpenPage, people: People
) -> None:
    payer, payee = people.sign_up("note.kana"), people.sign_up("note.lono")
    wallet = payer.open_wallet("SGD", 1_000)
    id = payer.pay(wallet, f"@{payee.username}", 100)
    writer, reader, new = open_page(payer.state), open_page(payee.state), open_page(payee.state)
    reader.goto(f"/payments/{id}")  # from here on this device has a key
    expect(reader.get_by_role("button", name="Write a note")).to_be_enabled()

    writer.goto(f"/payments/{id}")
    writer.get_by_role("button", name="Write a note").click()
    writer.get_by_label("Your note").fill(SECRET)
    with writer.expect_request(lambda one: one.method == "PUT" and "/payments/" in one.url) as sent:
        writer.get_by_role("button", name="Encrypt and save").click()
    body = sent.value.post_data or ""
    assert len(json.loads(body)["ciphertexts"]) == 2  # the writer's own device, and the reader's
    assert "third stone" not in body
    expect(writer.get_by_text(SECRET)).to_be_visible()

    reader.reload()
    expect(reader.get_by_text(SECRET)).to_be_visible()
    writer.reload()
    expect(writer.get_by_text(SECRET)).to_be_visible()
    # A device that came later has another key, and the app says so.
    new.goto(f"/payments/{id}")
    expect(new.get_by_text("was not written for this device")).to_be_visible()


def test_a_devices_key_cannot_be_read_out(open_page: OpenPage, people: People) -> None:
    payer, payee = people.sign_up("note.mano"), people.sign_up("note.pua")
    id = payer.pay(payer.open_wallet("SGD", 1_000), f"@{payee.username}", 100)
    page = open_page(payer.state)
    page.goto(f"/payments/{id}")
    expect(page.get_by_role("button", name="Write a note")).to_be_enabled()
    kept = page.evaluate(
        """async () => {
          const open = indexedDB.open("tikiwallet-keys");
          await new Promise((done) => (open.onsuccess = done));
          const all = open.result.transaction("note-keys").objectStore("note-keys").getAll();
          await new Promise((done) => (all.onsuccess = done));
          const { privateKey } = all.result[0].pair;
          const out = await crypto.subtle.exportKey("jwk", privateKey).catch(() => "refused");
          return [all.result.length, privateKey.extractable, out];
        }"""
    )
    assert kept == [1, False, "refused"]
