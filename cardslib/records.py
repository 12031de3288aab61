"""One rule for everything that comes in rows: cards, latents, columns of atoms, patches.  Index it to get fewer of them."""
from dataclasses import fields, replace

import numpy as np


class Record:
    """The base of frozen dataclasses that describe n things, one a row.

    A field that is an array, a tensor or a record itself has a row for each thing; a field that is None is not there; any other
    (names, a size) holds for all of them.

    Indexing gives a record of the same kind: `record[3]` and `record[-1]` one thing (n = 1), `record[:10]` a slice,
    `record[record.suit == 2]` those of a mask, `record[[4, 1, 1]]` those of these numbers in this order.  An IndexError says
    what is out of range, or no such index.
    """

    def __len__(self):
        for values in self.rows.values():
            return len(values)
        raise TypeError(f"{type(self).__name__} holds no array: it has no length, and no index")

    def __getitem__(self, which):
        count, dtype = len(self), str(getattr(which, "dtype", type(which).__name__)).removeprefix("torch.")
        if isinstance(which, slice):   # a tensor has no slices that run backwards
            which = which if (which.step or 1) > 0 else np.arange(count)[which].copy()
        elif isinstance(which, list | range):
            return self[np.asarray(which) if len(which) else np.arange(0)]
        elif np.ndim(which) == 0 and dtype.startswith(("int", "uint")):
            if not -count <= which < count:   # or a loop over a record would never end
                raise IndexError(f"index {which} is out of range: there are {count}")
            which = slice(int(which) % count, int(which) % count + 1)
        elif np.ndim(which) != 1 or not dtype.startswith(("int", "uint", "bool")):
            raise IndexError(f"an index must be a whole number, a slice, a mask or an array of whole numbers; got {which!r}")
        elif dtype == "bool" and len(which) != count:
            raise IndexError(f"a mask must have one entry for each of {count}; got {len(which)}")
        return self.map(lambda values: values[which])

    @property
    def rows(self):
        """The fields that have a row for each thing, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, Record) or hasattr(value, "shape")}

    def map(self, function):
        """The same record with `function` applied to every field that has rows."""
        return replace(self, **{name: function(values) for name, values in self.rows.items()})


def concatenate(records):
    """One record of several of one kind, the rows of the first before those of the second; NumPy arrays, or records of them.

    What holds for all rows is taken from the first record.
    """
    first = records[0]
    joined = {name: [getattr(record, name) for record in records] for name in first.rows}
    return replace(first, **{name: concatenate(parts) if isinstance(parts[0], Record) else np.concatenate(parts)
                             for name, parts in joined.items()})
