"""Vectors by themselves: what is near, by signs and by cosine, and lists joined by rank."""

from __future__ import annotations

import random
from array import array

import pytest

from jupyter_assistant.notebooks.search.vectors import joined, likely, nearest, packed, signs, unpacked


def direction(values: list[float]) -> array[float]:
    length = sum(value * value for value in values) ** 0.5
    return array("f", (value / length for value in values))


def test_a_stored_vector_comes_back_as_it_was() -> None:
    vector = direction([1.0, -2.0, 0.5])
    assert unpacked(packed(vector)) == vector
    assert packed(array("f", [1.0])) == b"\x00\x00\x80?"
    with pytest.raises(ValueError, match="bytes"):
        unpacked(b"\x00\x00\x80")


def test_signs_are_one_bit_a_value() -> None:
    assert signs(array("f", [1.0, -1.0, 0.0, 2.0])) == 0b1001
    assert signs(array("f")) == 0


def test_the_nearest_come_first_and_what_is_far_from_the_best_is_left_out() -> None:
    vectors = {"same": direction([1, 0]), "near": direction([1, 0.5]), "far": direction([1, 4]), "odd": array("f", [1])}
    found = nearest(direction([1, 0]), vectors, 10)
    assert [key for key, _ in found] == ["same", "near"]
    assert nearest(direction([1, 0]), vectors, 1)[0][0] == "same"
    assert nearest(direction([-1, 0]), {"same": direction([1, 0])}, 5) == []


def test_the_choice_by_signs_holds_what_is_nearest() -> None:
    chance = random.Random(0)
    asked = direction([chance.gauss(0, 1) for _ in range(256)])
    others = {key: direction([chance.gauss(0, 1) for _ in range(256)]) for key in range(2_000)}
    close = {
        -key: direction([value + chance.gauss(0, 0.05) for value in asked])  # a cosine of about 0.8
        for key in range(1, 11)
    }
    known = {key: signs(vector) for key, vector in {**others, **close}.items()}
    assert set(likely(signs(asked), known, 40)) >= close.keys()


def test_ranks_are_joined_by_their_reciprocals() -> None:
    found = joined([["a", "b", "c"], ["b", "d"]])
    assert list(found) == ["b", "a", "d", "c"]
    assert found["a"] == 1.0
    assert found["b"] == pytest.approx(61 / 62 + 1.0)
    assert joined([["a"], ["a"]]) == {"a": 2.0}
    assert joined([[], []]) == {}
