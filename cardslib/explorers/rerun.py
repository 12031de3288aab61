"""What becomes of widgets when the cell that made them is run again: they are closed, or a long afternoon fills the memory."""
import sys

_made = {}   # {cell: (run, what this run has made)}


def replace_the_former(made_now):
    """Close what an earlier run of this cell has made, now that it has made this: nobody sees it any more."""
    cell, run = _cell_and_run()
    if cell is None:
        return
    former, made = _made.get(cell, (run, []))
    if former != run:
        for old in made:
            old.close()
        made = []
    _made[cell] = run, [*made, made_now]


def _cell_and_run():
    """What names the cell that runs now, and this run of it; None and None outside a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    parent = getattr(shell, "parent_header", None) if hasattr(shell, "kernel") else None
    if not parent:
        return None, None
    return parent["metadata"].get("cellId", parent["content"].get("code")), parent["header"]["msg_id"]
