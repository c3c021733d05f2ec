"""The bytes that stand for a payment."""

from tikiwallet.payments.content import payment_content


def test_content_is_unambiguous() -> None:
    contents = {
        payment_content("w", [("a", 1, "SGD"), ("b", 2, "SGD")], None),
        payment_content("w", [("b", 2, "SGD"), ("a", 1, "SGD")], None),
        payment_content("w", [("a", 1, "SGD")], None),
        payment_content("w", [("a", 1, "SGD")], "null"),
        payment_content("w", [("a", 1, "SGD")], ""),
        payment_content('w",[["a",1,"SGD"]],null]', [], None),
        payment_content("w", [('a",1,"SGD"],["b', 2, "SGD")], None),
    }
    assert len(contents) == 7


def test_content_is_the_same_for_the_same_payment() -> None:
    payees = [("@ravi", 125_00, "SGD"), ("+6591234567", 1, "SGD")]
    first = payment_content("w", payees, "Tee für zwei 🍵")
    assert first == payment_content("w", iter(payees), "Tee für zwei 🍵")
