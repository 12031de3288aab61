"""What the check cells of the exercises are made of: ask an answer something new, and say what is wrong with what it says.

An answer is a function that a student writes.  A check draws numbers that nobody has seen, asks the answer about them, and
compares what comes back with something measured.  What is wrong is said as a hint: one or two sentences, no traceback.
"""
import textwrap
import traceback

import numpy as np


class Hint(AssertionError):
    """An answer is not right yet.  A notebook shows the hint alone, without a traceback; for nbgrader the check has failed."""

    def _render_traceback_(self):
        """What IPython shows of this error."""
        return textwrap.wrap(f"Not yet: {self}", 100)


def expect(holds, hint):
    """Go on if `holds`; else stop the check with a `Hint`."""
    if not np.all(holds):
        raise Hint(hint)


def ask(answer, *arguments, shape=None, kind=None):
    """What the function `answer` says of these arguments; a `Hint` if it says nothing, fails, or says no such thing.

    shape  of an array of finite numbers (or yes and no); None stands for any length.  What was said comes as a NumPy array
    kind   or: a class that what was said must be of

    An answer gets copies of arrays and tensors: it cannot change what it is compared with.
    """
    name = getattr(answer, "__name__", None)
    if not callable(answer) or name is None:
        raise Hint(f"the cell above must define a function; got {answer!r}")
    try:
        said = answer(*(one.copy() if isinstance(one, np.ndarray) else one.clone() if hasattr(one, "clone") else one
                        for one in arguments))
    except Exception as problem:
        raise Hint(f"{name} stops with {type(problem).__name__}: {str(problem).rstrip('.')}"
                   f"{_where(answer, problem)}") from None
    if said is None or said is Ellipsis:
        raise Hint(f"{name} gives nothing back. Write it in the cell above; its last line should return the answer.")
    if kind is not None and not isinstance(said, kind):
        raise Hint(f"{name} must give one {kind.__name__}; it gives one {type(said).__name__}.")
    return said if shape is None else _array(name, said, shape)


def _array(name, said, shape):
    wanted = f"{name} must give {_called(shape)}; it gives "
    if hasattr(said, "__dataclass_fields__"):
        record = type(said).__name__
        raise Hint(f"{wanted}{'an' if record[0] in 'AEIOUaeiou' else 'a'} {record}: which of its fields is meant?")
    try:
        array = np.asarray(said.detach().cpu() if hasattr(said, "detach") else said)
    except ValueError:
        raise Hint(f"{wanted}rows of different lengths.") from None
    if array.dtype.kind not in "biuf":
        raise Hint(f"{wanted}no numbers, but: {type(said).__name__}.")
    if array.ndim != len(shape) or any(want not in (None, got) for want, got in zip(shape, array.shape)):
        raise Hint(f"{wanted}{_called(array.shape)}.")
    if not np.isfinite(array).all():
        raise Hint(f"{name} gives NaN or infinity in {(~np.isfinite(array)).mean():.0%} of its numbers: a division by 0, the "
                   f"logarithm of 0, or an exponential too large or too small for a computer?")
    return array


def _called(shape):
    """A shape in words, None as n."""
    return "an array " + str(tuple(shape)).replace("None", "n") if len(shape) else "one number"


def _where(answer, problem):
    """The line of the student's own cell at which it went wrong."""
    cell = getattr(getattr(answer, "__code__", None), "co_filename", None)
    own = [frame for frame in traceback.extract_tb(problem.__traceback__) if frame.filename == cell]
    return f", at the line “{own[-1].line.strip()}”." if own and own[-1].line else "."
