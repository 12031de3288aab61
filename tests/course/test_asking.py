"""ask and expect, of which the checks of the exercises are made: what is wrong is said in a sentence, never in a traceback."""
import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

from cardslib.course.exercises import Hint, ask, expect
from cardslib.models import Latents


def double(values):
    return 2 * values


def nothing(values):
    ...


def ragged(values):
    return [[1, 2], [3]]


def words(values):
    return "seven"


def holes(values):
    return values / np.array([0, 1, 1, 1])


def misspelt(values):
    return values.maen()


def greedy(values):
    values[:] = 0
    return values


def test_a_good_answer_comes_as_an_array():
    assert np.array_equal(ask(double, np.arange(4), shape=(4,)), [0, 2, 4, 6])
    assert np.array_equal(ask(double, np.arange(4), shape=(None,)), [0, 2, 4, 6])


@pytest.mark.parametrize("said", [np.float32(0.5), 0.5, torch.tensor(0.5, requires_grad=True), np.array(0.5)])
def test_one_number_may_come_in_any_form(said):
    assert ask(lambda: said, shape=()) == 0.5


def test_yes_and_no_are_numbers_too():
    assert ask(lambda: [True, False], shape=(2,)).tolist() == [True, False]


def test_without_a_shape_the_answer_comes_as_it_is():
    assert ask(lambda: {"angle": 1}, kind=dict) == {"angle": 1}


@pytest.mark.parametrize("answer, shape, hint", [
    (nothing, (4,), "nothing gives nothing back"),
    (double, (3,), r"double must give an array \(3,\); it gives an array \(4,\)"),
    (double, (), "double must give one number; it gives an array"),
    (double, (None, 2), r"must give an array \(n, 2\)"),
    (lambda values: 3, (4,), r"must give an array \(4,\); it gives one number"),
    (ragged, (2,), "rows of different lengths"),
    (words, (4,), "it gives no numbers, but: str"),
    (lambda values: Latents(values), (4,), "it gives a Latents: which of its fields is meant?"),
    (holes, (4,), "holes gives NaN or infinity in 25% of its numbers"),
    (misspelt, (4,), "misspelt stops with AttributeError: .*maen.*, at the line “return values.maen\\(\\)”"),
    (3, (4,), "must define a function; got 3"),
    (dict, (4,), "dict stops with TypeError"),
])
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_what_is_no_answer_gets_a_hint_that_says_so(answer, shape, hint):
    with pytest.raises(Hint, match=hint):
        ask(answer, np.arange(1, 5), shape=shape)


def test_a_wrong_kind_is_named():
    with pytest.raises(Hint, match="must give one dict; it gives one tuple"):
        ask(lambda: (1, 2), kind=dict)


def test_a_failure_deep_in_a_library_names_the_line_of_the_answer():
    def deep(values):
        return np.linalg.inv(values)
    with pytest.raises(Hint, match="LinAlgError: Singular matrix, at the line “return np.linalg.inv"):
        ask(deep, np.zeros((2, 2)), shape=(2, 2))


@pytest.mark.parametrize("values", [np.arange(4.0), torch.arange(4.0)])
def test_an_answer_cannot_change_what_it_is_asked_about(values):
    ask(greedy, values, shape=(4,))
    assert values.tolist() == [0, 1, 2, 3]


def test_a_gradient_finds_its_way_through_an_answer():
    values = torch.arange(4.0, requires_grad=True)
    ask(double, values).sum().backward()
    assert values.grad.tolist() == [2, 2, 2, 2]


def test_the_stop_button_stops():
    def waits():
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        ask(waits)


@pytest.mark.parametrize("holds", [False, np.False_, np.array([True, False])])
def test_expect_stops_with_its_hint(holds):
    with pytest.raises(Hint, match="because"):
        expect(holds, "because")


@pytest.mark.parametrize("holds", [True, np.True_, np.array([True, True])])
def test_expect_goes_on_if_all_holds(holds):
    expect(holds, "because")


def test_a_notebook_shows_the_hint_and_no_traceback(capsys):
    shell = InteractiveShell()
    shell.run_cell("from cardslib.course.exercises import expect\nexpect(False, 'look at the sign')")
    shown = capsys.readouterr().out
    assert shown.strip() == "Not yet: look at the sign"
