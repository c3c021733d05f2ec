"""What was used recently: bounded, what is in use stays, what is forgotten is gone."""

from tikiwallet.recent import Recent


def test_it_holds_at_most_its_capacity() -> None:
    recent = Recent[int, int](10)
    for key in range(1000):
        recent.put(key, key)
        assert len(recent) <= 10
    assert recent.get(999) == 999
    assert recent.get(0) is None


def test_what_is_used_stays_and_the_rest_goes() -> None:
    recent = Recent[int, str](4)
    recent.put(0, "used")
    for key in range(1, 100):
        recent.put(key, "once")
        assert recent.get(0) == "used"
    assert recent.get(1) is None


def test_a_hit_in_the_old_half_moves_to_the_young_one() -> None:
    recent = Recent[int, str](4)
    for key, value in enumerate(("a", "b", "c")):
        recent.put(key, value)
    assert recent.young == {2: "c"}
    assert recent.get(0) == "a"
    assert recent.young == {2: "c", 0: "a"}


def test_a_new_value_takes_the_place_of_the_old_one() -> None:
    recent = Recent[int, str](2)
    recent.put(1, "before")
    recent.put(2, "another")
    recent.put(1, "after")
    assert recent.get(1) == "after"
    recent.put(1, "later")
    assert recent.get(1) == "later"
    assert len(recent) == 2


def test_what_is_forgotten_is_gone_from_both_halves() -> None:
    recent = Recent[int, str](4)
    for key, value in enumerate(("a", "b", "c")):
        recent.put(key, value)
    assert recent.pop(0) == "a"  # from the old half
    recent.put(1, "newer")  # beside the one in the old half
    assert recent.pop(1) == "newer"
    assert recent.get(1) is None
    assert recent.pop(1) is None


def test_all_is_forgotten() -> None:
    recent = Recent[int, str](2)
    recent.put(1, "old")
    recent.put(2, "young")
    recent.clear()
    assert len(recent) == 0
    assert recent.get(1) is None
    assert recent.get(2) is None


def test_the_least_capacity_is_one() -> None:
    recent = Recent[int, str](0)
    recent.put(1, "one")
    assert recent.get(1) == "one"
